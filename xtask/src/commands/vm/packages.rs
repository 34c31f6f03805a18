//! Which packages make a kernel: pure choice among names.

use std::cmp::Reverse;

/// Ends the names of Debian's kernels for virtual machines: small, and they boot in seconds.
const FLAVOUR: &str = "-cloud-amd64";

/// Begins the names of packages that have a kernel, or its parts since Debian splits them.
const PARTS: [&str; 4] = ["linux-image-", "linux-modules-", "linux-binary-", "linux-base-"];

/// The releases (`6.12.118+deb13-cloud-amd64`) of a series (`6.12`) among the names of packages, newest first.
pub fn releases<'a>(series: &str, names: &'a [String]) -> Vec<&'a str> {
    let is_of_series = |release: &&str| {
        let rest = release.strip_prefix(series).and_then(|rest| rest.strip_prefix('.'));
        release.ends_with(FLAVOUR) && rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let mut releases: Vec<_> =
        names.iter().filter_map(|name| name.strip_prefix(PARTS[0])).filter(is_of_series).collect();
    releases.sort_by_key(|release| Reverse(numbers(release)));
    releases.dedup();
    releases
}

/// The packages of a release, image first, among the names of packages.
pub fn of_release(release: &str, names: &[String]) -> Vec<String> {
    PARTS.iter().map(|part| format!("{part}{release}")).filter(|package| names.contains(package)).collect()
}

/// The numbers in a release, in their order: what it is newer or older by.
pub fn numbers(release: &str) -> Vec<u64> {
    let digits = release.trim_end_matches(FLAVOUR).split(|character: char| !character.is_ascii_digit());
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn newest_release_of_the_series_comes_first() {
        let names = names(&[
            "linux-image-6.12-cloud-amd64",
            "linux-image-6.12.9+deb13-cloud-amd64",
            "linux-image-6.12.117+deb12-cloud-amd64",
            "linux-image-6.12.117+deb13-cloud-amd64",
            "linux-image-6.12.118+deb13-cloud-amd64-unsigned",
            "linux-image-6.12.118+deb13-cloud-amd64-dbg",
            "linux-image-6.12.118+deb13-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-cloud-amd64",
        ]);
        let newest_first = ["6.12.117+deb13-cloud-amd64", "6.12.117+deb12-cloud-amd64", "6.12.9+deb13-cloud-amd64"];
        assert_eq!(releases("6.12", &names), newest_first);
        assert_eq!(releases("6.1", &names), ["6.1.0-56-cloud-amd64"]);
        assert_eq!(releases("7.2", &names), Vec::<&str>::new());
    }

    #[test]
    fn parts_of_a_split_kernel_are_found_and_headers_are_not() {
        let names = names(&[
            "linux-headers-7.2.13+deb14-cloud-amd64",
            "linux-binary-7.2.13+deb14-cloud-amd64",
            "linux-modules-7.2.13+deb14-cloud-amd64",
            "linux-modules-7.2.12+deb14-cloud-amd64",
            "linux-image-7.2.13+deb14-cloud-amd64",
        ]);
        let parts = of_release("7.2.13+deb14-cloud-amd64", &names);
        let expected =
            ["linux-image", "linux-modules", "linux-binary"].map(|part| format!("{part}-7.2.13+deb14-cloud-amd64"));
        assert_eq!(parts, expected);
    }

    #[test]
    fn numbers_order_as_numbers() {
        assert!(numbers("6.1.0-100-cloud-amd64") > numbers("6.1.0-56-cloud-amd64"));
        assert_eq!(numbers("7.2.13+deb14-cloud-amd64"), [7, 2, 13, 14]);
    }
}
