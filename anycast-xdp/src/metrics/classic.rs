//! The text format from before OpenMetrics (`text/plain; version=0.0.4`), which older scrapers and `promtool check
//! metrics` take: names of families are those of their samples, and there are no units, infos and end.

use super::{catalogue, descriptor::Kind};

/// An exposition in the form of OpenMetrics as one in the older form.
pub fn classic(exposition: &str) -> String {
    exposition.lines().filter_map(line).fold(String::with_capacity(exposition.len()), |text, line| text + &line + "\n")
}

fn line(line: &str) -> Option<String> {
    let Some(comment) = line.strip_prefix("# ") else { return Some(line.to_owned()) };
    let mut words = comment.splitn(3, ' ');
    let (what, name, rest) = (words.next()?, words.next()?, words.next()?);
    let family = catalogue::named(name)?;
    match what {
        "HELP" => Some(format!("# HELP {} {rest}", family.sample_name())),
        "TYPE" if family.kind == Kind::Info => Some(format!("# TYPE {} gauge", family.sample_name())),
        "TYPE" => Some(format!("# TYPE {} {rest}", family.sample_name())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::classic;

    #[test]
    fn families_are_named_as_their_samples() {
        let exposition = "\
# HELP anycast_xdp_vip_bytes Their bytes.
# TYPE anycast_xdp_vip_bytes counter
# UNIT anycast_xdp_vip_bytes bytes
anycast_xdp_vip_bytes_total{vip=\"web\"} 7
# HELP anycast_xdp_build The program.
# TYPE anycast_xdp_build info
anycast_xdp_build_info{version=\"1\"} 1
# HELP anycast_xdp_vips VIPs.
# TYPE anycast_xdp_vips gauge
anycast_xdp_vips 3
# EOF
";
        let expected = "\
# HELP anycast_xdp_vip_bytes_total Their bytes.
# TYPE anycast_xdp_vip_bytes_total counter
anycast_xdp_vip_bytes_total{vip=\"web\"} 7
# HELP anycast_xdp_build_info The program.
# TYPE anycast_xdp_build_info gauge
anycast_xdp_build_info{version=\"1\"} 1
# HELP anycast_xdp_vips VIPs.
# TYPE anycast_xdp_vips gauge
anycast_xdp_vips 3
";
        assert_eq!(classic(exposition), expected);
    }
}
