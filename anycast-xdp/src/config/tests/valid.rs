//! Files that are accepted, and what they become.

use std::{net::IpAddr, path::Path, time::Duration};

use anycast_common::{header::GUE_PORT, maglev::table_size};

use ipnet::IpNet;

use super::{GATEWAY, POP, SMALL_GATEWAY, SMALL_POP, changed, parse};
use crate::desired::{AttachMode, Check, Config, HashOn, Interface, Limits, Returns, Role, State, TRANSITION_SECS};

fn accepted(text: &str) -> Config {
    parse(text, Path::new("test.toml")).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn example_of_a_pop_becomes_this_desired_state() {
    insta::assert_debug_snapshot!(accepted(POP));
}

#[test]
fn example_of_a_gateway_becomes_this_desired_state() {
    insta::assert_debug_snapshot!(accepted(GATEWAY));
}

#[test]
fn examples_with_answers_through_pops_fit_together_and_are_those_of_the_manual() {
    const POP: &str = include_str!("../../../../docs/examples/pop-return.toml");
    const GATEWAY: &str = include_str!("../../../../docs/examples/gateway-return.toml");
    const MANUAL: &str = include_str!("../../../../docs/returns.md");
    let (pop, gateway) = (accepted(POP), accepted(GATEWAY));
    let (Role::Pop(at_pop), Role::Gateway(at_gateway)) = (&pop.local.role, &gateway.local.role) else {
        panic!("not a pop and a gateway")
    };
    let source = at_pop.tunnel_source_ipv4.map(IpNet::V4).unwrap();
    assert!(at_gateway.allowed_sources.contains(&source));
    assert_eq!(at_pop.gue_port, at_gateway.gue_port);
    assert_eq!(at_gateway.tunnel_addresses, [pop.services.pools[0].backends[0].address]);
    let ways = |config: &Config| config.services.vips.iter().map(|vip| (vip.address, vip.returns)).collect::<Vec<_>>();
    let vip = |address: &str, returns| (address.parse::<IpAddr>().unwrap(), returns);
    assert_eq!(ways(&pop), [vip("192.0.2.10", Returns::Pop), vip("192.0.2.80", Returns::Direct)]);
    assert_eq!(ways(&gateway), [vip("192.0.2.10", Returns::PopOrDrop), vip("192.0.2.80", Returns::Direct)]);
    for example in [POP, GATEWAY] {
        assert!(MANUAL.contains(&format!("```toml\n{example}```\n")), "docs/returns.md differs from:\n{example}");
    }
}

#[test]
fn what_is_left_out_has_the_defaults_of_the_code() {
    let config = accepted(SMALL_POP);
    assert_eq!(config.local.instance, "default");
    assert_eq!(config.local.limits, Limits::default());
    assert_eq!(
        config.local.interfaces,
        [Interface { name: "eth0".to_owned(), access: true, backbone: true, egress: false, attach: AttachMode::Auto }]
    );
    assert_eq!(config.services.pools[0].backends[0].weight, 100);
    assert_eq!(config.services.vips[0].listeners, []);
    let Role::Pop(pop) = config.local.role else { panic!("not a pop") };
    assert!(!pop.allow_small_mtu);
    assert_eq!(pop.transition_secs, TRANSITION_SECS);
    assert_eq!(pop.gue_port, GUE_PORT);
    assert_eq!(config.services.vips[0].returns, Returns::Direct);
}

#[test]
fn check_is_read_with_its_defaults() {
    let with = |keys: &str| {
        let text = changed(SMALL_POP, "[[interface]]", "[health]\nsource_ipv4 = \"10.3.0.9\"\n[[interface]]");
        let config = accepted(&changed(&text, "[[vip]]", &format!("[pool.health]\n{keys}\n[[vip]]")));
        config.services.pools[0].health.as_deref().cloned().unwrap()
    };
    let ms = Duration::from_millis;
    let icmp = with("");
    assert_eq!(icmp.check, Check::Icmp);
    assert_eq!((icmp.interval, icmp.timeout), (ms(1000), ms(800)));
    assert_eq!((icmp.rise, icmp.fall, icmp.jitter_percent, icmp.vip), (2, 3, 10, None));
    let slow = with("interval = \"10s\"\ntimeout = \"10s\"\nrise = 1\nfall = 1\njitter_percent = 0\nvip = \"web\"");
    assert_eq!((slow.interval, slow.timeout), (ms(10_000), ms(10_000)));
    assert_eq!((slow.rise, slow.fall, slow.jitter_percent, slow.vip.as_deref()), (1, 1, 0, Some("web")));
    assert_eq!(with("type = \"tcp\"\nport = 443").check, Check::Tcp { port: 443 });
    let http = |port, tls, host: Option<&str>, path: &str, status| Check::Http {
        port,
        tls,
        host: host.map(str::to_owned),
        path: path.to_owned(),
        status,
    };
    assert_eq!(with("type = \"http\"").check, http(80, false, None, "/", 200..=399));
    let full = "type = \"https\"\nport = 8443\nhost = \"www.example\"\npath = \"/health?a=1\"\nstatus = \"204\"";
    assert_eq!(with(full).check, http(8443, true, Some("www.example"), "/health?a=1", 204..=204));
    let udp = |expect: &[u8]| Check::Udp { port: 7, send: b"ping\0".to_vec(), expect: expect.to_vec() };
    assert_eq!(with("type = \"udp\"\nport = 7\nsend = 'ping\\x00'").check, udp(b""));
    assert_eq!(with("type = \"udp\"\nport = 7\nsend = \"hex:70696e6700\"\nexpect = \"pong\"").check, udp(b"pong"));
    let dns = Check::Dns { port: 53, name: "a.example".to_owned() };
    assert_eq!(with("type = \"dns\"\nname = \"a.example.\"").check, dns);
}

#[test]
fn way_back_of_answers_is_read_on_both_sides() {
    let with = |text: &str, more: &str| accepted(&format!("{text}{more}\n")).services.vips[0].returns;
    assert_eq!(with(SMALL_POP, "return = \"pop\""), Returns::Pop);
    assert_eq!(with(SMALL_POP, "return = \"direct\""), Returns::Direct);
    assert_eq!(with(SMALL_GATEWAY, "return = \"pop\""), Returns::Pop);
    assert_eq!(with(SMALL_GATEWAY, "return = \"pop\"\nreturn_without_pop = \"direct\""), Returns::Pop);
    assert_eq!(with(SMALL_GATEWAY, "return = \"pop\"\nreturn_without_pop = \"drop\""), Returns::PopOrDrop);
    let text = changed(SMALL_POP, "source_ipv4 = \"10.3.0.2\"", "source_ipv4 = \"10.3.0.2\"\ngue_port = 7000");
    let Role::Pop(pop) = accepted(&text).local.role else { panic!("not a pop") };
    assert_eq!(pop.gue_port, 7000);
    let text = changed(SMALL_GATEWAY, "[\"10.3.0.0/16\"]", "[\"10.3.0.0/16\"]\nreturn_mtu_bytes = 1400");
    let Role::Gateway(gateway) = accepted(&text).local.role else { panic!("not a gateway") };
    assert_eq!(gateway.return_mtu_bytes, Some(1400));
    let Role::Gateway(gateway) = accepted(SMALL_GATEWAY).local.role else { panic!("not a gateway") };
    assert_eq!(gateway.return_mtu_bytes, None);
    let config = accepted(&format!("{SMALL_GATEWAY}[limits]\nreturn_clients = 16777216\n"));
    assert_eq!(config.local.limits.return_clients, 1 << 24);
}

#[test]
fn egress_is_a_role_of_its_own_or_one_more() {
    let text = changed(
        SMALL_GATEWAY,
        "[[interface]]\n",
        "[[interface]]\nname = \"eth1\"\nroles = [\"egress\"]\n[[interface]]\n",
    );
    let text = changed(&text, "[\"backbone\"]", "[\"backbone\", \"egress\"]");
    let roles = accepted(&text).local.interfaces.into_iter().map(|one| (one.access, one.backbone, one.egress));
    assert_eq!(roles.collect::<Vec<_>>(), [(false, false, true), (false, true, true)]);
}

#[test]
fn one_gateway_in_several_pools_is_accepted_where_its_tunnel_is_the_same_or_answers_go_directly() {
    let spare = "[[pool]]\nname = \"spare\"\nhome_region = \"x1\"\n[[pool.backend]]\naddress = \"10.4.0.2\"\n";
    let vip = "fallback_pools = [\"spare\"]\n";
    accepted(&format!("{SMALL_POP}{vip}return = \"pop\"\n{spare}"));
    accepted(&format!("{SMALL_POP}{vip}{spare}encap = \"gre\"\n"));
    // Not together in one VIP.
    accepted(&format!("{SMALL_POP}return = \"pop\"\n{spare}encap = \"gre\"\n"));
}

#[test]
fn lists_may_have_more_backends_where_answers_go_directly() {
    let lists = "fallback_pools = [\"spare\"]\n[limits]\nbackends = 2\n[[pool]]\nname = \"spare\"\nhome_region = \"x1\"\n[[pool.backend]]\naddress = \"10.5.0.2\"\n[[vip]]\nname = \"other\"\naddress = \"192.0.2.81\"\npool = \"spare\"\nfallback_pools = [\"home\"]\n";
    accepted(&format!("{SMALL_POP}{lists}"));
    // Two pools and one list of both are as many as two backends have room for.
    accepted(&format!("{SMALL_POP}return = \"pop\"\n{}", lists.split("[[vip]]").next().unwrap()));
}

#[test]
fn wide_sources_and_sources_of_another_family_are_accepted_where_answers_go_directly() {
    accepted(&changed(SMALL_GATEWAY, "[\"10.3.0.0/16\"]", "[\"10.0.0.0/8\", \"fd00:3::/64\"]"));
}

#[test]
fn empty_limits_section_has_the_defaults_of_the_code() {
    assert_eq!(accepted(&format!("{SMALL_POP}[limits]\n")).local.limits, Limits::default());
}

#[test]
fn example_names_every_limit_with_its_default() {
    assert_eq!(accepted(POP).local.limits, Limits::default());
}

#[test]
fn icmp_on_an_ipv6_vip_is_icmpv6() {
    let text = changed(SMALL_POP, "192.0.2.80", "2001:db8::80") + "listeners = [\"icmp\"]\n";
    assert_eq!(accepted(&text).services.vips[0].listeners[0].protocol, 58);
}

#[test]
fn hash_and_states_have_defaults_by_listeners_and_fall_backs_keep_their_order() {
    let config = accepted(SMALL_POP);
    assert_eq!((config.services.vips[0].hash, config.services.pools[0].state), (HashOn::Addresses, State::Up));
    let listening = accepted(&format!("{SMALL_POP}listeners = [\"tcp\"]\n"));
    assert_eq!(listening.services.vips[0].hash, HashOn::Flow);
    let whole = accepted(&format!("{SMALL_POP}hash = \"5-tuple\"\n"));
    assert_eq!(whole.services.vips[0].hash, HashOn::Flow);
    let pools = ["b", "a"].map(|name| {
        format!("[[pool]]\nname = \"{name}1\"\nhome_region = \"x1\"\n[[pool.backend]]\naddress = \"10.5.0.2\"\n")
    });
    let list = accepted(&format!("{SMALL_POP}fallback_pools = [\"b1\", \"a1\"]\n{}", pools.concat()));
    assert_eq!(list.services.vips[0].pools().collect::<Vec<_>>(), ["home", "b1", "a1"]);
}

#[test]
fn vip_and_backend_families_mix() {
    let text = changed(SMALL_POP, "192.0.2.80", "2001:db8::80");
    assert_eq!(accepted(&text).services.vips[0].address, "2001:db8::80".parse::<IpAddr>().unwrap());
}

#[test]
fn mtu_of_a_backend_is_read_and_without_it_the_route_says() {
    let text = changed(SMALL_POP, "address = \"10.4.0.2\"", "address = \"10.4.0.2\"\nmtu_bytes = 576");
    assert_eq!(accepted(&text).services.pools[0].backends[0].mtu_bytes, Some(576));
    assert_eq!(accepted(SMALL_POP).services.pools[0].backends[0].mtu_bytes, None);
}

#[test]
fn unused_pool_is_accepted() {
    let text = format!(
        "{SMALL_POP}[[pool]]\nname = \"spare\"\nhome_region = \"shanghai\"\n[[pool.backend]]\naddress = \"10.5.0.2\"\n"
    );
    assert_eq!(accepted(&text).services.pools.len(), 2);
}

#[test]
fn slots_for_every_pool_are_just_enough() {
    let needed = table_size(1).next_multiple_of(2);
    let with_slots = |slots| format!("{SMALL_POP}[limits]\nslots = {slots}\n");
    accepted(&with_slots(needed));
    assert!(parse(&with_slots(needed - 1), Path::new("test.toml")).is_err());
}

#[test]
fn pop_and_gateway_without_vips_are_accepted() {
    for text in [SMALL_POP, SMALL_GATEWAY] {
        let without = text.split("[[vip]]").next().unwrap();
        assert_eq!(accepted(without).services.vips, []);
    }
}

#[test]
fn inline_tables_and_dotted_keys_mean_the_same() {
    let text = changed(
        SMALL_POP,
        "[host]\npop = \"beijing\"\nname = \"beijing-1\"",
        "host.pop = \"beijing\"\nhost.name = \"beijing-1\"",
    );
    assert_eq!(accepted(&text), accepted(SMALL_POP));
    let text = changed(SMALL_POP, "[[pool.backend]]\naddress = \"10.4.0.2\"", "backend = [{ address = \"10.4.0.2\" }]");
    assert_eq!(accepted(&text), accepted(SMALL_POP));
}
