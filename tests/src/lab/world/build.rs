//! From the plan to a world.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{
    super::{
        Namespace,
        client::round_trip,
        link::{End, LinkSpec},
        routing::{Router, Software},
        scratch::Scratch,
        topology::FAMILIES,
        wait::wait_for,
    },
    Access, Site, VIPS, World,
    addresses::Net,
    home, internet,
    plan::{ACCESS, CARRIERS, POPS, REGIONS},
    pop,
};

/// From sessions that are up to routes in every kernel.
const ROUTES_LIMIT: Duration = Duration::from_secs(20);

pub(super) fn build() -> Result<World> {
    let scratch = Scratch::new()?;
    let (mut links, mut wires) = (Vec::new(), Vec::new());
    let backbone = Namespace::new("backbone")?.forwarding()?;
    let router = |kind: &str, name: &str| Namespace::new(&format!("{kind}-{name}"))?.forwarding();
    let carriers: Vec<_> = CARRIERS.iter().map(|plan| router("carrier", plan.name)).collect::<Result<_>>()?;
    let access: Vec<_> = ACCESS.iter().map(|plan| router("access", plan.name)).collect::<Result<_>>()?;
    let players: Vec<_> =
        ACCESS.iter().map(|plan| Namespace::new(&format!("players-{}", plan.name))).collect::<Result<_>>()?;
    let pops: Vec<_> = (0..POPS.len()).map(pop::Place::new).collect::<Result<_>>()?;
    let regions: Vec<_> = (0..REGIONS.len()).map(home::Place::new).collect::<Result<_>>()?;

    for place in &pops {
        place.link(&backbone, &mut links)?;
    }
    for (place, plan) in regions.iter().zip(REGIONS) {
        place.link(&backbone, &carriers[plan.exit.0], &mut links, &mut wires)?;
    }
    for (carrier, c) in carriers.iter().zip(0..) {
        for (place, b) in pops.iter().zip(0..) {
            let net = Net::Transit { carrier: c, border: b };
            let near = End::new(carrier, format!("pop{b}"), net.interface(1));
            let far = format!("car{c}");
            links.push(LinkSpec::new(near, End::new(&place.border, &far, net.interface(2))).create()?);
        }
    }
    for (((router, players), plan), a) in access.iter().zip(&players).zip(ACCESS).zip(0..) {
        let net = Net::Players { of: a };
        let near = End::new(router, "pl0", net.interface(1));
        links.push(LinkSpec::new(near, End::new(players, "eth0", net.interface(2))).create()?);
        for family in FAMILIES {
            players.ip(&format!("route add default via {}", net.address(family, 1)))?;
        }
        for &c in plan.carriers {
            let net = Net::AccessCarrier { access: a, carrier: c as u8 };
            let (near, far) = (format!("acc{a}"), format!("car{c}"));
            let near = End::new(&carriers[c], &near, net.interface(1));
            links.push(LinkSpec::new(near, End::new(router, &far, net.interface(2))).create()?);
        }
        if let Some(b) = plan.exchange {
            let net = Net::Exchange { access: a, border: b as u8 };
            let (near, far) = (format!("acc{a}"), format!("ix{b}"));
            let near = End::new(&pops[b].border, &near, net.interface(1));
            links.push(LinkSpec::new(near, End::new(router, &far, net.interface(2))).create()?);
        }
    }

    let site = |(number, namespace): (usize, Namespace), software, text: fn(usize) -> String| {
        let router = Router::start(software, &namespace, &scratch, &text(number))?;
        Ok(Site { router, namespace })
    };
    let carriers = together(carriers.into_iter().enumerate(), |it| site(it, Software::Frr, internet::carrier))?;
    let access = together(access.into_iter().enumerate(), |it| site(it, Software::Bird, internet::access))?;
    let access = players.into_iter().zip(access).map(|(players, site)| Access { players, site }).collect();
    let regions = together(regions, |place| place.start(&scratch))?;
    let pops = together(pops, |place| place.start(&scratch))?;
    let world = World { pops, regions, carriers, access, wires, _links: links, backbone, scratch };
    world.wait_until_whole()?;
    Ok(world)
}

/// Does it with all of them at once: what they do is mostly waiting.
fn together<T: Send, U: Send>(
    all: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> Result<U> + Sync,
) -> Result<Vec<U>> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = all.into_iter().map(|one| scope.spawn(move || work(one))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<U>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        // All are waited for, also where one fails.
        threads.into_iter().map(join).collect::<Vec<_>>().into_iter().collect()
    })
}

impl World {
    /// Waits until every session is up, all players enter at the PoP near to them, and the first region answers.
    pub fn wait_until_whole(&self) -> Result<()> {
        for (router, name) in self.routers() {
            router.wait_until_up().with_context(|| name.clone())?;
        }
        // There and back: more than to the first region, less than to the second.
        let first = Duration::from_millis(REGIONS.iter().map(|plan| plan.backbone_delay_ms).sum());
        for (plan, access) in ACCESS.iter().zip(0..) {
            let near = plan.nearest_pop();
            for (_, vip) in VIPS {
                let mut last = None;
                let is_near = || {
                    last = self.entry(access, vip).ok().flatten();
                    (last == Some(near)).then_some(())
                };
                wait_for(&format!("way of {} to {vip} by {}", plan.name, POPS[near].name), ROUTES_LIMIT, is_near)
                    .with_context(|| format!("it is by {last:?}"))?;
                // Routes toward the VIP may be there before those of answers, and the second region is farther away.
                let is_home =
                    || round_trip(&self.access[access].players, vip).ok().flatten().filter(|time| *time < first);
                wait_for(&format!("answer of {} to {}", REGIONS[0].name, plan.name), ROUTES_LIMIT, is_home)?;
            }
        }
        Ok(())
    }

    /// All routers, each with a name for people.
    pub fn routers(&self) -> impl Iterator<Item = (&Router, String)> {
        let carriers = self.carriers.iter().zip(CARRIERS).map(|(site, plan)| (&site.router, plan.name.to_owned()));
        let access = self.access.iter().zip(ACCESS).map(|(it, plan)| (&it.site.router, format!("AS of {}", plan.name)));
        let pops = self.pops.iter().zip(POPS).flat_map(|(pop, plan)| {
            let hosts = pop.hosts.iter().zip(0..).map(move |(host, at)| (&host.router, format!("{}-{at}", plan.name)));
            hosts.chain([(&pop.border.router, format!("border of {}", plan.name))])
        });
        carriers.chain(access).chain(pops)
    }
}
