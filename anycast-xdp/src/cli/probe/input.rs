//! What `probe` is asked for.

use std::{fs, time::Duration};

use super::{super::exit::Failure, Args};
use crate::probe::{
    Options,
    pops::Pops,
    resolve::{Families, Override, Resolver},
    target::Target,
};

/// Longer than any wait that is of use.
const DURATION_MAX: Duration = Duration::from_hours(1);

/// Everything that is wrong is told at once.
pub(super) fn options(args: &Args) -> Result<Options, Failure> {
    let mut errors = Vec::new();
    let mut target = |url: &str| url.parse::<Target>().map_err(|error| errors.push(error.to_string())).ok();
    let (first, compare) = (target(&args.url), args.compare.as_deref().map(&mut target));
    let mut overrides: Vec<Override> = Vec::new();
    for written in &args.resolve {
        match written.parse() {
            Ok(one) => overrides.push(one),
            Err(error) => errors.push(error),
        }
    }
    let pops = pops(args, &mut errors);
    let (Some(target), None | Some(Some(_)), true) = (first, &compare, errors.is_empty()) else {
        let told: Vec<String> = errors.into_iter().map(|error| format!("error: {error}")).collect();
        return Err(Failure::Refused(told.join("\n")));
    };
    let families = match (args.ipv4, args.ipv6) {
        (true, _) => Families::V4,
        (_, true) => Families::V6,
        _ => Families::Any,
    };
    Ok(Options {
        target,
        compare: compare.flatten().map(|compare| Target { connect_to: args.compare_address, ..compare }),
        count: args.count,
        interval: args.interval,
        timeout: args.timeout,
        resolver: Resolver::new(families, overrides),
        is_insecure: args.insecure,
        pops,
        is_numeric: args.numeric,
    })
}

fn pops(args: &Args, errors: &mut Vec<String>) -> Pops {
    let mut pops = Pops::default();
    for written in &args.pop {
        if let Err(error) = written.parse().and_then(|pop| pops.add(pop)) {
            errors.push(error);
        }
    }
    if let Some(file) = &args.pops {
        let name = file.display().to_string();
        match fs::read_to_string(file) {
            Ok(text) => errors.extend(pops.add_file(&name, &text).err().into_iter().flatten()),
            Err(error) => errors.push(format!("cannot read {name}: {error}")),
        }
    }
    pops
}

/// Reads `0.2`, `200ms`, `5s`.
pub(super) fn duration(written: &str) -> Result<Duration, String> {
    let (number, factor) = match (written.strip_suffix("ms"), written.strip_suffix('s')) {
        (Some(number), _) => (number, 0.001),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (written, 1.0),
    };
    let duration = number.parse::<f64>().ok().and_then(|number| Duration::try_from_secs_f64(number * factor).ok());
    duration
        .filter(|duration| *duration <= DURATION_MAX)
        .ok_or_else(|| "write 0.2, 200ms or 5s, at most 3600s".to_owned())
}

/// The same, but not nothing.
pub(super) fn timeout(written: &str) -> Result<Duration, String> {
    let timeout = duration(written)?;
    if timeout.is_zero() { Err("no attempt takes no time".to_owned()) } else { Ok(timeout) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_and_without_unit() {
        for (written, ms) in [("0.2", 200), ("200ms", 200), ("5s", 5000), ("0", 0), ("1.5s", 1500)] {
            assert_eq!(duration(written), Ok(Duration::from_millis(ms)), "{written}");
        }
        for wrong in ["", "s", "-1", "5m", "1e9", "nan", "inf"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(timeout("0s").is_err() && timeout("1ms").is_ok());
    }
}
