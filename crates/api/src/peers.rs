//! Connections by address: one client cannot take all of them.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use parking_lot::Mutex;

/// Who holds how many connections. Only addresses that hold one are remembered.
#[derive(Debug)]
pub(crate) struct Peers {
    each_max: usize,
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of an address, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    peers: Arc<Peers>,
    address: IpAddr,
}

impl Peers {
    pub(crate) fn new(each_max: usize) -> Arc<Self> {
        Arc::new(Self { each_max, held: Mutex::default() })
    }

    /// Counts a connection from `address`; `None` when it holds as many as it may.
    pub(crate) fn hold(self: &Arc<Self>, address: IpAddr) -> Option<Held> {
        let address = network(address);
        let mut held = self.held.lock();
        let count = held.entry(address).or_default();
        if *count >= self.each_max {
            return None;
        }
        *count += 1;
        Some(Held { peers: Arc::clone(self), address })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.peers.held.lock();
        if let Some(count) = held.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.address);
            }
        }
    }
}

/// One subscriber has a whole /64 of IPv6 addresses (RFC 6177), so they count together.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_so_many_and_no_trace_stays() {
        let peers = Peers::new(2);
        let hold = |address: &str| peers.hold(address.parse().unwrap());
        let first = (hold("192.0.2.1"), hold("::ffff:192.0.2.1"));
        assert!(first.0.is_some() && first.1.is_some() && hold("192.0.2.1").is_none());
        let others = (hold("192.0.2.2"), hold("2001:db8::1"), hold("2001:db8::2"));
        assert!(others.0.is_some() && others.1.is_some() && others.2.is_some());
        assert!(hold("2001:db8::ffff:3").is_none() && hold("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(hold("192.0.2.1").is_some());
        drop(others);
        assert!(peers.held.lock().is_empty());
    }
}
