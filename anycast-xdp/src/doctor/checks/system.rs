//! The machine: kernel, bpffs, and what the daemon may.

use super::{
    super::{
        Place,
        Severity::{Error, Info, Warning},
    },
    Answer, Case, Check, Concerns,
};

/// Maps that mmap their arrays, and neighbours that the kernel keeps resolved.
const OLDEST_KERNEL: (u32, u32) = (6, 1);
/// From here on the memory of maps is accounted to the memory control group (`bpf: Switch to memcg-based memory accounting`).
const MEMLOCK_ENDS: (u32, u32) = (5, 11);
/// What the maps of the default limits and 64 CPUs need, rounded up.
const MEMLOCK_MIN_BYTES: u64 = 256 << 20;
/// Bits of `linux/capability.h`.
const CAPABILITIES: [(u32, &str); 4] =
    [(12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN"), (38, "CAP_PERFMON"), (39, "CAP_BPF")];

pub(super) const CHECKS: [Check; 7] = [
    Check {
        code: "kernel_too_old",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "a kernel before 6.1",
        run: kernel_too_old,
    },
    Check {
        code: "kernel_btf_missing",
        severities: &[Warning],
        concerns: Concerns::All,
        finds: "a kernel without type information (BTF)",
        run: kernel_btf_missing,
    },
    Check {
        code: "jit_off",
        severities: &[Warning],
        concerns: Concerns::All,
        finds: "programs that are interpreted",
        run: jit_off,
    },
    Check {
        code: "bpffs_missing",
        severities: &[Error, Info],
        concerns: Concerns::All,
        finds: "no bpffs at /sys/fs/bpf, where programs and maps are pinned",
        run: bpffs_missing,
    },
    Check {
        code: "capability_missing",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "a capability that the daemon lacks (without a daemon: that this process lacks)",
        run: capability_missing,
    },
    Check {
        code: "memlock_low",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "a limit of locked memory that maps are counted against (kernels before 5.11 only; later ones do not)",
        run: memlock_low,
    },
    Check {
        code: "cpus_possible_many",
        severities: &[Info],
        concerns: Concerns::All,
        finds: "counters for many CPUs that there are not",
        run: cpus_possible_many,
    },
];

fn kernel_too_old(case: &Case<'_>, answer: &mut Answer<'_>) {
    let system = &case.facts.system;
    let (major, minor) = OLDEST_KERNEL;
    match system.version() {
        None => answer.skip(Place::Host, format!("`{}` is no version of a kernel", system.kernel)),
        Some(version) if version < OLDEST_KERNEL => answer.error(
            Place::Host,
            format!("kernel {} is older than {major}.{minor}: it cannot keep next hops resolved", system.kernel),
            format!("boot kernel {major}.{minor} or newer"),
        ),
        Some(_) => {}
    }
}

fn kernel_btf_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    if !case.facts.system.btf {
        let fix = "boot a kernel with CONFIG_DEBUG_INFO_BTF=y; /sys/kernel/btf/vmlinux is then there";
        answer.warning(Place::Host, "the kernel has no type information of itself", fix);
    }
}

fn jit_off(case: &Case<'_>, answer: &mut Answer<'_>) {
    match &case.facts.system.jit {
        Ok(0) => answer.warning(
            Place::Host,
            "the kernel interprets programs, which takes several times as long",
            "sysctl -w net.core.bpf_jit_enable=1",
        ),
        Ok(_) => {}
        Err(reason) => answer.skip(Place::Host, reason),
    }
}

fn bpffs_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    let facts = case.facts;
    if facts.system.bpffs {
        return;
    }
    if facts.instance.has_inventory || facts.instance.daemon_pid.is_some() {
        answer.error(
            Place::Host,
            "an instance was started, and no bpffs is at /sys/fs/bpf: its pins are gone, or in another mount namespace",
            "enter namespaces by `nsenter --net=...`, not by `ip netns exec`; if it was unmounted: mount -t bpf bpf /sys/fs/bpf, and start the daemon again",
        );
    } else {
        let fix = "mount -t bpf bpf /sys/fs/bpf (the daemon does so when it starts)";
        answer.info(Place::Host, "no bpffs is mounted at /sys/fs/bpf yet", fix);
    }
}

fn capability_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    let bits = match &case.facts.system.capabilities {
        Ok(bits) => *bits,
        Err(reason) => return answer.skip(Place::Host, reason),
    };
    let missing: Vec<_> =
        CAPABILITIES.into_iter().filter(|(bit, _)| bits & (1 << bit) == 0).map(|(_, name)| name).collect();
    if missing.is_empty() {
        return;
    }
    let missing = missing.join(" ");
    match case.facts.instance.daemon_pid {
        Some(pid) => answer.error(
            Place::Host,
            format!("the daemon (process {pid}) lacks {missing}"),
            format!("add to the [Service] of its unit: CapabilityBoundingSet={missing}"),
        ),
        None => answer.error(
            Place::Host,
            format!("this process lacks {missing}, and so would a daemon that is started like this"),
            "run it as root, with the capabilities of packaging/systemd/anycast-xdp.service",
        ),
    }
}

fn memlock_low(case: &Case<'_>, answer: &mut Answer<'_>) {
    let system = &case.facts.system;
    if system.version().is_none_or(|version| version >= MEMLOCK_ENDS) {
        return;
    }
    match &system.memlock_bytes {
        Ok(bytes) if *bytes < MEMLOCK_MIN_BYTES => answer.error(
            Place::Host,
            format!("this kernel counts maps as locked memory, of which {bytes} bytes are allowed"),
            "ulimit -l unlimited; in the [Service] of a unit: LimitMEMLOCK=infinity",
        ),
        Ok(_) => {}
        Err(reason) => answer.skip(Place::Host, reason),
    }
}

fn cpus_possible_many(case: &Case<'_>, answer: &mut Answer<'_>) {
    let (online, possible) = (case.facts.system.cpus_online, case.facts.system.cpus_possible);
    if possible > 16 && possible > online * 4 {
        answer.info(
            Place::Host,
            format!("counters are made for {possible} possible CPUs, of which {online} run"),
            format!("to save the memory, boot with the kernel parameter possible_cpus={online}"),
        );
    }
}
