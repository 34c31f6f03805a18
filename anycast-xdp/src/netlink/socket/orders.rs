//! Many orders in few system calls.

use std::io;

use libc::{NETLINK_GET_STRICT_CHK, NLM_F_ACK, SO_RCVBUFFORCE, SOL_NETLINK, SOL_SOCKET};
use netlink_packet_core::{Emitable, NLMSG_ERROR};
use tracing::debug;

use super::{AskError, Requests, messages, receive, serialize, set_option, verdict};

/// Orders that go in one system call, and the longest of them.
const ORDERS_BYTES: usize = 16 << 10;
const ORDER_BYTES_MAX: usize = 128;

/// Room for the refusal of each of them: the kernel drops answers that have none.
const ANSWER_BUFFER_BYTES: libc::c_int = 4 << 20;

impl Requests {
    /// Has dumps filtered by what their questions say, where they can be (`NETLINK_GET_STRICT_CHK`, Linux 4.20): of a host's
    /// million routes only those that are asked for are sent. And takes as many answers at once as [`Self::order`] may get.
    pub fn for_many(&mut self) -> io::Result<()> {
        if let Err(error) = set_option(&self.socket, SOL_SOCKET, SO_RCVBUFFORCE, ANSWER_BUFFER_BYTES) {
            debug!(%error, "netlink receive buffer stays at the system's default");
        }
        set_option(&self.socket, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
    }

    /// Gives many orders (message type, flags, body), many of them a system call. What the kernel refuses is answered by the
    /// position of the order and why; the others are done.
    pub fn order<B: Emitable>(
        &mut self,
        orders: impl IntoIterator<Item = (u16, u16, B)>,
    ) -> io::Result<Vec<(usize, io::Error)>> {
        let mut refused = Vec::new();
        let mut orders = orders.into_iter().enumerate().peekable();
        while orders.peek().is_some() {
            let base = self.sequence.wrapping_add(1);
            let (mut datagram, mut first) = (Vec::new(), None);
            while datagram.len() < ORDERS_BYTES
                && let Some((at, (message_type, flags, body))) = orders.next()
            {
                first.get_or_insert(at);
                self.sequence = self.sequence.wrapping_add(1);
                // Errors come unasked; the last one's acknowledgement says that there are no more.
                let is_last = orders.peek().is_none() || datagram.len() + ORDER_BYTES_MAX >= ORDERS_BYTES;
                let acknowledge = if is_last { NLM_F_ACK as u16 } else { 0 };
                datagram.extend(serialize(message_type, flags | acknowledge, self.sequence, &body));
                if is_last {
                    break;
                }
            }
            self.socket.send(&datagram, 0)?;
            self.refusals(base, first.unwrap_or_default(), &mut refused)?;
        }
        Ok(refused)
    }

    /// Reads the answers to the orders from `base` to the newest; the first of them stands at `first`.
    fn refusals(&mut self, base: u32, first: usize, refused: &mut Vec<(usize, io::Error)>) -> io::Result<()> {
        loop {
            receive(&self.socket, &mut self.datagram)?;
            for message in messages(&self.datagram).filter(|message| message.message_type() == NLMSG_ERROR) {
                let sequence = message.sequence_number();
                match verdict(message.payload()) {
                    Ok(()) => {}
                    Err(AskError::Refused(error)) => {
                        refused.push((first + sequence.wrapping_sub(base) as usize, error));
                    }
                    Err(AskError::Socket(error)) => return Err(error),
                }
                if sequence == self.sequence {
                    return Ok(());
                }
            }
        }
    }
}
