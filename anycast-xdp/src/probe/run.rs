//! A whole probe: walk, attempts, walk.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{
    attempt::Prober,
    entry::{entry, is_same},
    names,
    pops::Pops,
    report::{Attempt, Measured, Path, Report},
    resolve::Resolver,
    target::{Scheme, Target},
    tls,
    walk::{Walk, walk},
};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The VIP's URL.
    pub target: Target,
    /// What it is compared with.
    pub compare: Option<Target>,
    /// Attempts at each.
    pub count: u32,
    /// From the start of one round of attempts to that of the next.
    pub interval: Duration,
    /// An attempt that takes longer has failed.
    pub timeout: Duration,
    /// Where addresses come from.
    pub resolver: Resolver,
    /// Certificates are not checked.
    pub is_insecure: bool,
    /// Addresses of PoPs.
    pub pops: Pops,
    /// Hops have no names.
    pub is_numeric: bool,
}

/// Measures. Ends early, after the attempts that are under way, when `stop` does: what was measured until then is reported.
///
/// # Errors
///
/// There are no root certificates, and they are needed. Whatever fails of attempts and walks is in the report.
pub async fn run(options: &Options, stop: impl Future<Output = ()>) -> anyhow::Result<Report> {
    let targets: Vec<&Target> = [&options.target].into_iter().chain(&options.compare).collect();
    let with_tls = targets.iter().any(|target| target.scheme == Scheme::Https);
    let tls = with_tls.then(|| tls::client(options.is_insecure)).transpose()?;
    let prober = Prober { resolver: options.resolver.clone(), tls, timeout: options.timeout };

    let mut path = begin(options).await;
    let attempts = attempts(options, &prober, &targets, stop).await;
    finish(options, &mut path).await;
    let measured = targets.iter().zip(attempts).map(|(target, attempts)| Measured::new(target.to_string(), attempts));
    Ok(Report::new(measured.collect(), path))
}

/// By target. In each round every target has its turn, in the other order than in the round before: what changes slowly,
/// and what one attempt leaves to the next, meets both alike.
async fn attempts(
    options: &Options,
    prober: &Prober,
    targets: &[&Target],
    stop: impl Future<Output = ()>,
) -> Vec<Vec<Attempt>> {
    let mut attempts = vec![Vec::new(); targets.len()];
    let mut stop = std::pin::pin!(stop);
    for number in 1..=options.count {
        let next = Instant::now() + options.interval;
        let order: Vec<usize> =
            if number % 2 == 1 { (0..targets.len()).collect() } else { (0..targets.len()).rev().collect() };
        for index in order {
            attempts[index].push(prober.attempt(targets[index], number).await);
        }
        if number == options.count {
            break;
        }
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = sleep_until(next) => {}
        }
    }
    attempts
}

/// The walk before the attempts.
async fn begin(options: &Options) -> Path {
    let none = Path {
        address: None,
        before: None,
        after: None,
        entry: None,
        entry_after: None,
        entry_changed: None,
        failure: None,
    };
    let found = tokio::time::timeout(options.timeout, options.resolver.lookup(&options.target)).await;
    let address = match found {
        Ok(Ok(address)) => address.ip(),
        Ok(Err(reason)) => return Path { failure: Some(reason), ..none },
        Err(_) => return Path { failure: Some("the resolver does not answer".to_owned()), ..none },
    };
    match walk(address).await {
        Ok(before) => Path { address: Some(address), before: Some(before), ..none },
        Err(error) => Path { address: Some(address), failure: Some(error.to_string()), ..none },
    }
}

/// The walk after the attempts, and what both say. Where nothing answered before, nothing will.
async fn finish(options: &Options, path: &mut Path) {
    let (Some(address), Some(before)) = (path.address, path.before.take()) else { return };
    let mut walks = vec![before];
    if !walks[0].hops.is_empty() {
        match walk(address).await {
            Ok(after) => walks.push(after),
            Err(error) => path.failure = Some(error.to_string()),
        }
    }
    if !options.is_numeric {
        names::add(&mut walks).await;
    }
    let mut walks = walks.into_iter();
    path.before = walks.next();
    path.after = walks.next();
    let of = |walk: &Option<Walk>| walk.as_ref().and_then(|walk| entry(walk, &options.pops));
    path.entry = of(&path.before);
    path.entry_after = of(&path.after);
    path.entry_changed = match (&path.entry, &path.entry_after) {
        (Some(before), Some(after)) => Some(!is_same(before, after)),
        _ => None,
    };
}
