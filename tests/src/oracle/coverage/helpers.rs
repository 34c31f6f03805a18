//! The kernel's helper functions, as far as datapath programs call them.

use anyhow::{Context as _, Result, bail};

use super::{
    super::clock::{jiffies, now_ns},
    machine::Machine,
    maps::Value,
    memory::{MAP, Memory},
};

/// `-EINVAL`, for whatever fails: programs tell no errors apart.
const FAILED: u64 = (-22_i64).cast_unsigned();
const XDP_REDIRECT: u64 = 4;
const TC_ACT_REDIRECT: u64 = 7;

/// Calls the helper with this number (`enum bpf_func_id`, include/uapi/linux/bpf.h).
pub(super) fn call(machine: &mut Machine<'_>, number: i32, arguments: [u64; 5]) -> Result<u64> {
    let [first, second, third, fourth, fifth] = arguments;
    match number {
        1 => {
            let (map, key) = map_and_key(machine, first, second)?;
            lookup(machine, map, &key).context("bpf_map_lookup_elem")
        }
        2 => update(machine, arguments).context("bpf_map_update_elem"),
        3 => {
            let (map, key) = map_and_key(machine, first, second)?;
            Ok(status(machine.maps[map].delete(&key).is_ok()))
        }
        // bpf_ktime_get_ns and bpf_ktime_get_coarse_ns.
        5 | 160 => Ok(now_ns()),
        118 => Ok(jiffies()),
        // bpf_get_smp_processor_id: that of the values that look-ups show.
        8 => Ok(0),
        9 => Ok(status(machine.memory.store_skb(second as u32 as usize, third, fourth as u32 as usize)?)),
        11 => Ok(status(machine.memory.replace_checksum(second as u32 as usize, third as u32, fourth as u32))),
        18 => Ok(status(machine.memory.vlan_push(third as u16)?)),
        19 => Ok(status(machine.memory.vlan_pop()?)),
        // bpf_redirect, of a classifier.
        23 => Ok(TC_ACT_REDIRECT),
        34 => Ok(machine.memory.flow_hash().into()),
        38 => Ok(status(machine.memory.change_tail(second as u32 as usize)?)),
        39 => Ok(status(machine.memory.pull_data(second as u32 as usize))),
        50 => Ok(status(machine.memory.adjust_room(second as i32, third as u32, fourth)?)),
        // bpf_csum_diff.
        28 => {
            let from = machine.memory.bytes_or_null(first, second as u32 as usize)?;
            let to = machine.memory.bytes_or_null(third, fourth as u32 as usize)?;
            Ok(csum_diff(from, to, fifth as u32))
        }
        44 => Ok(status(machine.memory.adjust_head(second as i32))),
        51 => {
            let index = (second as u32).to_ne_bytes();
            let is_there = machine.maps[map(machine, first)?].lookup(0, &index).context("bpf_redirect_map")?.is_some();
            Ok(if is_there { XDP_REDIRECT } else { third & 3 })
        }
        65 => Ok(status(machine.memory.adjust_tail(second as i32))),
        69 => super::routes::look_up(&mut machine.memory, second).context("bpf_fib_lookup"),
        // bpf_xdp_get_buff_len.
        188 => Ok(machine.memory.frame().len() as u64),
        // bpf_xdp_load_bytes.
        189 => Ok(status(machine.memory.load_bytes(second as u32 as usize, third, fourth as u32 as usize)?)),
        other => bail!(
            "the interpreter does not know helper {other} ({}): add it to tests/src/oracle/coverage/helpers.rs",
            name(other)
        ),
    }
}

/// The address of a value, or 0. Within a run a key has one address, as in the kernel.
pub(super) fn lookup(machine: &mut Machine<'_>, map: usize, key: &[u8]) -> Result<u64> {
    let values = &mut machine.memory.values;
    let known = values.iter().position(|value| value.map == map && value.key == key);
    let position = match known {
        Some(position) => position,
        None => match machine.maps[map].lookup(map, key)? {
            Some(value) => {
                values.push(value);
                values.len() - 1
            }
            None => return Ok(0),
        },
    };
    Ok(Memory::value_address(position))
}

fn update(machine: &mut Machine<'_>, [handle, key, value, flags, _]: [u64; 5]) -> Result<u64> {
    let (map, key) = map_and_key(machine, handle, key)?;
    let bytes = machine.memory.bytes(value, machine.maps[map].value_bytes)?.to_vec();
    let is_updated = machine.maps[map].update(&key, &bytes, flags).is_ok();
    let known = machine.memory.values.iter_mut().find(|known| known.map == map && known.key == key);
    if let (true, Some(known)) = (is_updated, known.map(Value::visible_mut)) {
        known.copy_from_slice(&bytes);
    }
    Ok(status(is_updated))
}

fn map(machine: &Machine<'_>, handle: u64) -> Result<usize> {
    let position = handle.checked_sub(MAP).map(|position| position as usize);
    position.filter(|position| *position < machine.maps.len()).with_context(|| format!("{handle:#x} is no map"))
}

fn map_and_key(machine: &Machine<'_>, handle: u64, key: u64) -> Result<(usize, Vec<u8>)> {
    let map = map(machine, handle)?;
    Ok((map, machine.memory.bytes(key, machine.maps[map].key_bytes)?.to_vec()))
}

fn status(is_done: bool) -> u64 {
    if is_done { 0 } else { FAILED }
}

/// The sum of `to` less that of `from`, folded to 16 bits as kernels do from 6.13 on ("bpf: bpf_csum_diff: optimize and
/// homogenize for all archs"); before it was congruent only, so programs must fold it themselves.
fn csum_diff(from: &[u8], to: &[u8], seed: u32) -> u64 {
    let words = |bytes: &[u8], flip: u32| -> u64 {
        let (words, _) = bytes.as_chunks::<4>();
        words.iter().map(|word| u64::from(u32::from_ne_bytes(*word) ^ flip)).sum()
    };
    let mut sum = words(from, u32::MAX) + words(to, 0) + u64::from(seed);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

/// Names of helpers that an XDP program is likely to call one day.
fn name(number: i32) -> &'static str {
    match number {
        4 => "bpf_probe_read",
        6 => "bpf_trace_printk",
        7 => "bpf_get_prandom_u32",
        12 => "bpf_tail_call",
        25 => "bpf_perf_event_output",
        54 => "bpf_xdp_adjust_meta",
        125 => "bpf_ktime_get_boot_ns",
        130 => "bpf_ringbuf_output",
        131 => "bpf_ringbuf_reserve",
        132 => "bpf_ringbuf_submit",
        163 => "bpf_check_mtu",
        190 => "bpf_xdp_store_bytes",
        _ => "see enum bpf_func_id",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_difference_updates_a_checksum() {
        let (before, after) = ([0x45, 0, 0, 20, 64, 17, 10, 3], [0x45, 0, 0, 99, 63, 17, 10, 9]);
        let plain = |bytes: &[u8]| csum_diff(&[], bytes, 0);
        assert_eq!(csum_diff(&before, &after, plain(&before) as u32), plain(&after));
        assert_eq!(plain(&[0xff; 8]), 0xffff);
    }
}
