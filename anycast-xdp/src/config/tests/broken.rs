//! Every rule that a file can break, and the report it gets. The report stands in the snapshot below its file.

use super::{POP, SMALL_GATEWAY, SMALL_POP, changed, report};

macro_rules! broken {
    ($($name:ident: $text:expr;)+) => {
        $(
            #[test]
            fn $name() {
                let report = report($text);
                assert!(!report.ends_with("accepted"), "{report}");
                insta::assert_snapshot!(report);
            }
        )+
    };
}

/// The small PoP with one replacement.
fn pop(old: &str, new: &str) -> String {
    changed(SMALL_POP, old, new)
}

/// The small gateway with one replacement.
fn gateway(old: &str, new: &str) -> String {
    changed(SMALL_GATEWAY, old, new)
}

/// The small PoP with text behind it; what has no header of its own belongs to `[[vip]]`.
fn pop_and(more: &str) -> String {
    format!("{SMALL_POP}{more}")
}

/// The small gateway with answers that go through PoPs.
fn returning_gateway() -> String {
    format!("{SMALL_GATEWAY}return = \"pop\"\n")
}

/// The small PoP with answers through it, a pool `spare` that has the same backend, and more on the VIP and the backends.
fn returning_pop(vip: &str, of_home: &str, of_spare: &str) -> String {
    let spare = "[[pool]]\nname = \"spare\"\nhome_region = \"x1\"\n[[pool.backend]]\naddress = \"10.4.0.2\"\n";
    pop("address = \"10.4.0.2\"", &format!("address = \"10.4.0.2\"\n{of_home}"))
        + &format!("return = \"pop\"\n{vip}\n{spare}{of_spare}\n")
}

/// The small PoP with a check of its pool.
fn checked(keys: &str) -> String {
    pop("[[interface]]", "[health]\nsource_ipv4 = \"10.3.0.9\"\n[[interface]]").replacen(
        "[[vip]]",
        &format!("[pool.health]\n{keys}\n[[vip]]"),
        1,
    )
}

fn listeners(list: &str) -> String {
    pop_and(&format!("listeners = {list}\n"))
}

/// The small PoP with a second pool `spare`, more on the first one, and a VIP with both.
fn with_fallback(of_home: &str, vip: &str) -> String {
    let spare = "[[pool]]\nname = \"spare\"\nhome_region = \"x1\"\n[[pool.backend]]\naddress = \"10.4.0.3\"\n";
    let named = pop("name = \"home\"", &format!("name = \"home\"\n{of_home}"));
    format!("{named}fallback_pools = [\"spare\"]\n{vip}\n{spare}")
}

broken! {
    // Failover
    rules_of_failover_without_fall_backs_are_refused: pop_and("failover = \"manual\"\nfailback = \"manual\"\nall_down = \"fail-open\"\n");
    rules_of_failover_on_a_gateway_are_refused: format!("{SMALL_GATEWAY}failover = \"local\"\nfailback = \"1m\"\nall_down = \"withdraw\"\n");
    rules_of_failover_in_other_words_are_refused: with_fallback("dial_percent = 101", "failover = \"auto\"\nfailback = \"25h\"\nall_down = \"open\"");
    slots_without_room_for_a_list_with_dials_are_refused: with_fallback("dial_percent = 10", "") + "[limits]\nslots = 5000\n";

    // Syntax
    syntax_errors_are_told_all_at_once: "role = pop\n[host\npop = \"beijing\"\nname = 'x\n";
    key_given_twice_is_refused: pop("name = \"web\"", "name = \"web\"\nname = \"other\"");

    // Keys
    empty_file_misses_every_required_key: "";
    pop_role_alone_misses_its_sections: "role = \"pop\"\n";
    gateway_role_alone_misses_its_sections: "role = \"gateway\"\n";
    sections_without_keys_miss_them: "role = \"pop\"\n[host]\n[hash]\n[[interface]]\n[[pool]]\n[[vip]]\n";
    unknown_keys_are_refused_with_the_nearest_known_one: pop("pool = \"home\"", "pool = \"home\"\nlistener = []\ncolour = 1\n\"a b\" = 2\n[limit]\nvips = 1");
    wrong_types_are_named: "role = 1\ninstance = [\"x\"]\nhost = \"beijing\"\ninterface = { name = \"eth0\" }\nvip = [1]\n[hash]\nseed = 2020-01-01\n[tunnel]\nsource_ipv4 = 1.5\nallow_small_mtu = \"yes\"\n";
    lists_of_wrong_types_are_named: pop("roles = [\"access\", \"backbone\"]", "roles = \"access\"").replace("pool = \"home\"", "pool = \"home\"\nlisteners = [80, \"tcp/80\"]");

    // Values
    bad_names_are_refused: pop("name = \"web\"", "name = \"w\"").replace("pop = \"beijing\"", "pop = \"bei jing\"").replace("\"home\"", "\"1home\"");
    bad_seed_is_refused_without_repeating_it: pop("000102", "not hex ");
    missing_seed_says_how_to_make_one: pop("seed = \"000102030405060708090a0b0c0d0e0f\"", "");
    unknown_words_are_refused_with_the_nearest_known_one: pop("role = \"pop\"", "role = \"gatway\"").replace("[\"access\", \"backbone\"]", "[\"acces\", \"front\"]\nattach = \"offload\"");
    bad_interface_name_is_refused: pop("eth0", "eth0/1");
    weights_out_of_range_are_refused: pop("address = \"10.4.0.2\"", "address = \"10.4.0.2\"\nweight = 0\n[[pool.backend]]\naddress = \"10.4.0.3\"\nweight = 65536\n[[pool.backend]]\naddress = \"10.4.0.4\"\nweight = \"1\"");
    mtus_out_of_range_are_refused: pop("address = \"10.4.0.2\"", "address = \"10.4.0.2\"\nmtu_bytes = 575\n[[pool.backend]]\naddress = \"10.4.0.3\"\nmtu_bytes = 65536\n[[pool.backend]]\naddress = \"fd00:4::2\"\nmtu_bytes = 1279").replace("[[interface]]", "source_ipv6 = \"fd00:3::2\"\n[[interface]]");
    mtus_without_room_for_ipv6_vips_are_refused: pop("address = \"10.4.0.2\"", "address = \"10.4.0.2\"\nmtu_bytes = 1299\n[[pool.backend]]\naddress = \"10.4.0.3\"\nmtu_bytes = 1300\n[[pool.backend]]\naddress = \"fd00:4::2\"\nmtu_bytes = 1319\n[[pool.backend]]\naddress = \"fd00:4::3\"\nmtu_bytes = 1320").replace("[[interface]]", "source_ipv6 = \"fd00:3::2\"\nallow_small_mtu = true\n[[interface]]").replace("192.0.2.80", "2001:db8::80");
    limits_out_of_range_are_refused: pop_and("[limits]\nvips = 0\npools = -1\nslots = 4294967296\nnext_hops = 65536\nlinks = 1.0\n");

    hash_and_states_are_words: pop("name = \"home\"", "name = \"home\"\nstate = \"drained\"").replace("address = \"10.4.0.2\"", "address = \"10.4.0.2\"\nstate = true").replace("pool = \"home\"", "pool = \"home\"\nhash = \"address\"");
    transition_out_of_range_is_refused: pop_and("[transition]\nsecs = 0\n");

    // Health
    keys_of_another_check_are_refused: checked("type = \"icmp\"\nport = 80\npath = \"/\"\nsend = \"x\"\nname = \"a.example\"");
    keys_that_a_check_needs_are_missed: checked("type = \"udp\"") + "[[pool]]\nname = \"spare\"\nhome_region = \"x1\"\n[[pool.backend]]\naddress = \"10.5.0.2\"\n[pool.health]\ntype = \"dns\"\n[[pool]]\nname = \"other\"\nhome_region = \"x1\"\n[[pool.backend]]\naddress = \"10.6.0.2\"\n[pool.health]\ntype = \"tcp\"\n";
    bad_values_of_checks_are_refused: checked("type = \"http\"\nport = 0\nhost = \"a b\"\npath = \"health\"\nstatus = \"399-200\"\ninterval = \"1\"\nrise = 0\nfall = 101\njitter_percent = 51");
    timeout_beyond_the_interval_is_refused: checked("interval = \"500ms\"\ntimeout = \"1s\"");
    payload_that_is_none_is_refused: checked("type = \"udp\"\nport = 53\nsend = 'a\\n'\nexpect = \"hex:0\"");
    check_by_a_vip_of_another_pool_is_refused: checked("vip = \"wob\"");
    check_without_source_is_refused_once_a_family: pop("[[vip]]", "[pool.health]\n[[vip]]");
    health_source_that_is_a_vip_is_refused: pop("[[interface]]", "[health]\nsource_ipv4 = \"192.0.2.80\"\nsource_ipv6 = \"10.0.0.1\"\ndamping_half_life = \"100ms\"\n[[interface]]");
    health_of_a_gateway_is_refused: gateway("[[vip]]", "[health]\nsource_ipv4 = \"10.4.0.2\"\n[[vip]]");
    check_that_is_a_list_is_refused: pop("[[vip]]", "[[pool.health]]\n[[vip]]");

    // Fall-backs
    fall_backs_that_no_pool_is_or_that_stand_twice_are_refused: pop_and("fallback_pools = [\"hone\", \"home\"]\n");
    fall_backs_and_hash_of_a_gateway_are_refused: format!("{SMALL_GATEWAY}hash = \"source\"\nfallback_pools = [\"home\"]\n");
    lists_with_fall_backs_count_as_pools: pop_and("fallback_pools = [\"spare\"]\n[limits]\npools = 2\n[[pool]]\nname = \"spare\"\nhome_region = \"x1\"\n[[pool.backend]]\naddress = \"10.5.0.2\"\n");

    // Addresses
    special_addresses_are_refused: pop_and(&["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1", "fe80::1", "::ffff:192.0.2.1", "192.0.2.1/32", "example.com"].map(|address| format!("[[pool.backend]]\naddress = \"{address}\"\n")).concat());
    tunnel_source_of_the_other_family_is_refused: pop("source_ipv4 = \"10.3.0.2\"", "source_ipv4 = \"fd00:3::2\"\nsource_ipv6 = \"10.3.0.2\"");
    bad_prefixes_are_refused: gateway("[\"10.3.0.0/16\"]", "[\"10.3.0.1/16\", \"10.3.0.2\", \"fd00::/129\", \"\"]");

    wide_and_crooked_source_prefixes_are_refused: pop("source_ipv4 = \"10.3.0.2\"", "source_ipv4 = \"10.0.0.0/15\"\nsource_ipv6 = \"fd00:3::1/112\"");
    vip_among_the_tunnel_sources_is_refused: pop("source_ipv4 = \"10.3.0.2\"", "source_ipv4 = \"192.0.2.0/24\"");

    // Encaps
    parameters_of_another_encap_are_refused: pop("address = \"10.4.0.2\"", "address = \"10.4.0.2\"\ngre_key = 7\n[[pool.backend]]\naddress = \"10.4.0.3\"\nencap = \"gre\"\ngue_port = 6080\n[[pool.backend]]\naddress = \"10.4.0.4\"\nencap = \"vxlan\"");
    keys_and_ports_out_of_range_are_refused: pop("address = \"10.4.0.2\"", "address = \"10.4.0.2\"\nencap = \"gre\"\ngre_key = 4294967296\n[[pool.backend]]\naddress = \"10.4.0.3\"\nencap = \"gue\"\ngue_port = 0");
    more_keys_than_a_gateway_takes_are_refused: gateway("[\"10.3.0.0/16\"]", &format!("[\"10.3.0.0/16\"]\ngre_keys = {:?}\ngue_port = 65536", (0..17).collect::<Vec<_>>()));

    // Listeners
    bad_listeners_are_refused: listeners(r#"["tpc/80", "tcp/0", "tcp/90-80", "udp/1-70000", "icmp/8", "256", "bogus", "icmpv6", ""]"#);
    empty_list_of_listeners_is_refused: listeners("[]");

    // Duplicates
    duplicates_are_refused: pop_and("[[vip]]\nname = \"web\"\naddress = \"192.0.2.80\"\npool = \"home\"\nlisteners = [\"tcp/80\", \"6/80\"]\n[[pool]]\nname = \"home\"\nhome_region = \"guangzhou\"\n[[pool.backend]]\naddress = \"10.4.0.2\"\n[[pool.backend]]\naddress = \"10.4.0.2\"\n[[interface]]\nname = \"eth0\"\nroles = [\"access\", \"access\"]\n");
    gateway_duplicates_are_refused: gateway("[\"10.4.0.2\"]", "[\"10.4.0.2\", \"10.4.0.2\"]").replace("[\"10.3.0.0/16\"]", "[\"10.3.0.0/16\", \"10.3.0.0/16\"]");

    // References
    binding_to_no_pool_is_refused_with_the_nearest_one: pop("pool = \"home\"", "pool = \"hone\"");
    unbound_vip_of_a_pop_is_refused: pop("pool = \"home\"", "");
    pool_without_backends_is_refused: pop("[[pool.backend]]\naddress = \"10.4.0.2\"", "");
    backends_without_tunnel_source_are_refused_once_a_family: pop("source_ipv4 = \"10.3.0.2\"", "").replace("[[vip]]", "[[pool.backend]]\naddress = \"10.4.0.3\"\n[[pool.backend]]\naddress = \"fd00:4::2\"\n[[vip]]");
    vip_that_ends_a_tunnel_is_refused: pop("192.0.2.80", "10.4.0.2") + "[[vip]]\nname = \"source\"\naddress = \"10.3.0.2\"\npool = \"home\"\n";
    backend_that_is_the_tunnel_source_is_refused: pop("10.4.0.2", "10.3.0.2");
    gateway_vip_that_ends_a_tunnel_is_refused: gateway("192.0.2.80", "10.4.0.2");

    // Roles
    pop_without_backbone_is_refused: pop("[\"access\", \"backbone\"]", "[\"access\"]");
    pop_without_access_is_refused: pop("[\"access\", \"backbone\"]", "[\"backbone\"]");
    gateway_with_access_interface_is_refused: gateway("[\"backbone\"]", "[\"access\"]");
    gateway_with_the_sections_of_a_pop_is_refused: gateway("[[vip]]", "[hash]\nseed = \"x\"\n[tunnel]\n[[pool]]\nname = \"home\"\n[[vip]]\npool = \"home\"");
    pop_with_the_section_of_a_gateway_is_refused: pop_and("[gateway]\ntunnel_addresses = []\n");

    // ICMP
    answers_from_a_vip_are_refused: pop_and("[icmp]\nsource_ipv4 = \"192.0.2.80\"\nsource_ipv6 = \"fe80::1\"\n");
    answers_out_of_range_are_refused: pop_and("icmp_echo = \"anwser\"\n[icmp]\necho_rate_pps = -1\nerror_rate_pps = 1000001\nrate = 5\n");
    gateway_that_answers_is_refused: gateway("[[vip]]", "[icmp]\necho_rate_pps = 5\n[[vip]]\nicmp_echo = \"answer\"");

    // Answers through PoPs
    ways_back_are_words: pop_and("return = \"region\"\n[[vip]]\nname = \"other\"\naddress = \"192.0.2.81\"\npool = \"home\"\nreturn = true\n");
    what_to_do_without_a_pop_is_not_a_pops_to_say: pop_and("return = \"pop\"\nreturn_without_pop = \"drop\"\n");
    what_to_do_without_a_pop_asks_for_answers_through_pops: format!("{SMALL_GATEWAY}return_without_pop = \"drop\"\n[[vip]]\nname = \"other\"\naddress = \"192.0.2.81\"\nreturn = \"pop\"\nreturn_without_pop = \"pop\"\n");
    returns_out_of_range_are_refused: gateway("[\"10.3.0.0/16\"]", "[\"10.3.0.0/16\"]\nreturn_mtu_bytes = 575\n[limits]\nreturn_clients = 0");
    return_mtu_below_what_ipv6_paths_take_is_refused: gateway("[\"10.3.0.0/16\"]", "[\"10.3.0.0/16\", \"fd00:3::2/128\"]\nreturn_mtu_bytes = 1279");
    return_mtu_without_room_for_ipv6_vips_is_refused: returning_gateway().replace("[\"10.3.0.0/16\"]", "[\"10.3.0.0/16\"]\nreturn_mtu_bytes = 1299").replace("192.0.2.80", "2001:db8::80");
    gue_port_of_a_pop_out_of_range_is_refused: pop("source_ipv4 = \"10.3.0.2\"", "source_ipv4 = \"10.3.0.2\"\ngue_port = 0");
    egress_interface_of_a_pop_is_refused: pop("[\"access\", \"backbone\"]", "[\"access\", \"backbone\", \"egress\"]");
    gateway_with_egress_only_is_refused: gateway("[\"backbone\"]", "[\"egress\"]");
    sources_that_are_no_hosts_are_refused: returning_gateway().replace("[\"10.3.0.0/16\"]", "[\"10.2.0.0/15\", \"10.5.0.0/16\", \"fd00:3::/111\", \"fd00:3:1::/112\", \"fd00:3:2::2/128\"]").replace("[\"10.4.0.2\"]", "[\"10.4.0.2\", \"fd00:4::2\"]");
    sources_without_an_address_to_answer_from_are_refused_once_a_family: returning_gateway().replace("[\"10.3.0.0/16\"]", "[\"10.3.0.2/32\", \"fd00:3::2/128\", \"fd00:3::3/128\"]");
    gateway_vip_that_ends_a_tunnel_is_refused_whatever_way_answers_take: returning_gateway().replace("192.0.2.80", "10.4.0.2");
    gue_to_other_ports_than_answers_come_to_is_refused: returning_pop("fallback_pools = [\"spare\"]", "encap = \"gue\"\n[[pool.backend]]\naddress = \"10.4.0.3\"\nencap = \"gue\"\ngue_port = 6081", "encap = \"gue\"\ngue_port = 7000").replace("source_ipv4 = \"10.3.0.2\"", "source_ipv4 = \"10.3.0.2\"\ngue_port = 6081");
    gateway_in_two_tunnels_is_refused: returning_pop("fallback_pools = [\"spare\"]", "encap = \"gre\"\ngre_key = 7\n[[pool.backend]]\naddress = \"10.4.0.3\"", "encap = \"gre\"\n[[pool.backend]]\naddress = \"10.4.0.3\"");
    sources_count_as_backends_of_a_pool: returning_gateway().replace("[\"10.3.0.0/16\"]", "[\"10.3.0.1/32\", \"10.3.0.2/32\", \"10.3.0.3/32\"]") + "[limits]\nbackends = 2\nslots = 2039\n";
    lists_with_more_backends_than_may_answer_are_refused: pop_and("return = \"pop\"\nfallback_pools = [\"spare\"]\n[limits]\nbackends = 2\n[[pool]]\nname = \"spare\"\nhome_region = \"x1\"\n[[pool.backend]]\naddress = \"10.5.0.2\"\n[[vip]]\nname = \"other\"\naddress = \"192.0.2.81\"\npool = \"spare\"\nfallback_pools = [\"home\"]\n");

    // Capacity
    more_than_the_limits_is_refused: changed(POP, "vips = 4096", "vips = 2").replace("backends = 4096", "backends = 1").replace("listener_sets = 256", "listener_sets = 1");
    more_pools_than_the_limit_is_refused: pop_and("[[pool]]\nname = \"spare\"\nhome_region = \"shanghai\"\n[[pool.backend]]\naddress = \"10.5.0.2\"\n[limits]\npools = 1\n");
    slots_without_room_for_a_table_are_refused: pop_and("[limits]\nslots = 1000\n");
    scattered_ports_without_room_for_their_pages_are_refused: listeners(&format!("{:?}", (0..9).map(|page| format!("tcp/{}", page * 256 + 7 + page)).collect::<Vec<_>>())) + "[limits]\nlistener_sets = 1\n";
}
