//! What is told of probes: how many packets they are, and what one comes to.

use anycast_tests::require_root;

use super::world::{HOMES, LOST, World};

#[test]
fn probes_are_no_packets_of_clients_and_one_can_be_looked_at() {
    require_root!();
    let mut world = World::new("type = \"tcp\"\nport = 80", "", World::start_web);
    let pop = &world.pops[0];
    // Successes first, packets then: probes go on.
    let successes: u64 = world.health(0).iter().map(|row| row["successes"].as_u64().unwrap()).sum();
    let stats = pop.stats().unwrap();
    // A SYN and a reset of each.
    assert!(stats.0["probes"]["forwarded"]["packets"].as_u64() >= Some(2 * successes), "{}", stats.0["probes"]);
    for outcome in ["forwarded", "dropped", "answered"] {
        assert_eq!(stats.vip_packets("echo", outcome), 0, "{outcome}");
    }
    let told = pop.run_cli(&["health", "check", "home"]).unwrap();
    assert_eq!(told.matches("success").count(), usize::from(HOMES), "{told}");
    assert_eq!(told.matches("connected").count(), usize::from(HOMES), "{told}");
    world.servers[usize::from(LOST)].web = None;
    let pop = &world.pops[0];
    let one = world.address(LOST).to_string();
    let words = ["health", "check", "home", &one];
    let told = pop.run_cli(&words).unwrap_err().to_string();
    assert!(told.contains("1 of 1 probes failed"), "{told}");
    let shown = pop.run_cli(&["health"]).unwrap();
    assert!(shown.contains("tcp/80") && shown.lines().count() > usize::from(HOMES), "{shown}");
}
