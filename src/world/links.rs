//! The links between hosts: one for each direction of a pair.

use std::collections::BTreeMap;
use std::mem;

use super::hosts::HostId;
use super::random::Random;
use super::settings::{Latency, Settings};

/// All links. Memory is used for those whose state differs from the settings of the world.
#[derive(Debug)]
pub(super) struct Links<P> {
    links: BTreeMap<(HostId, HostId), Link<P>>,
}

/// The packets from one host to another.
#[derive(Debug)]
struct Link<P> {
    is_cut: bool,
    /// The packets that wait for the release.
    held: Option<Vec<P>>,
    latency: Option<Latency>,
    loss: Option<f64>,
    bandwidth: Option<u64>,
    /// When the last packet has left, if the bandwidth is limited.
    free_at: u64,
}

/// What becomes of a packet that is sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It arrives at this time.
    Arrives(u64),
    /// It is lost: the link is cut.
    Cut,
    /// It waits until the link is released.
    Held,
}

impl<P> Links<P> {
    pub(super) fn new() -> Links<P> {
        Links { links: BTreeMap::new() }
    }

    /// Returns what becomes of a packet of `bytes` bytes that is sent at `now`.
    pub(super) fn send(
        &mut self,
        (from, to): (HostId, HostId),
        bytes: usize,
        now: u64,
        settings: &Settings,
        random: &mut Random,
    ) -> Way {
        if from == to {
            return Way::Arrives(now);
        }
        if self.links.is_empty() && settings.bandwidth.is_none() {
            return Way::Arrives(now.saturating_add(settings.latency.draw(random)));
        }
        let link = self.links.get(&(from, to));
        // Also for a packet that is lost, so that a cut does not change the times of the others.
        let latency = link.and_then(|link| link.latency).unwrap_or(settings.latency).draw(random);
        match link {
            Some(link) if link.is_cut => return Way::Cut,
            Some(link) if link.held.is_some() => return Way::Held,
            _ => {}
        }
        let Some(bandwidth) = link.and_then(|link| link.bandwidth).or(settings.bandwidth) else {
            return Way::Arrives(now.saturating_add(latency));
        };
        let link = self.link(from, to);
        let time = bytes as u128 * 1_000_000_000 / u128::from(bandwidth.max(1));
        link.free_at = link.free_at.max(now).saturating_add(time as u64);
        Way::Arrives(link.free_at.saturating_add(latency))
    }

    /// Returns what becomes of a packet that arrives now: it may be too late.
    pub(super) fn arrive(&self, from: HostId, to: HostId, now: u64) -> Way {
        match self.links.get(&(from, to)) {
            Some(link) if link.is_cut => Way::Cut,
            Some(link) if link.held.is_some() => Way::Held,
            _ => Way::Arrives(now),
        }
    }

    /// Keeps a packet of a link that is held.
    pub(super) fn keep(&mut self, from: HostId, to: HostId, packet: P) {
        if let Some(held) = self.links.get_mut(&(from, to)).and_then(|link| link.held.as_mut()) {
            held.push(packet);
        }
    }

    pub(super) fn loss(&self, from: HostId, to: HostId, settings: &Settings) -> f64 {
        match self.links.get(&(from, to)) {
            _ if from == to => 0.0,
            Some(Link { loss: Some(loss), .. }) => *loss,
            _ => settings.loss,
        }
    }

    /// Returns a time that few packets of the link exceed.
    pub(super) fn usual_latency(&self, from: HostId, to: HostId, settings: &Settings) -> u64 {
        match self.links.get(&(from, to)) {
            _ if from == to => 0,
            Some(Link { latency: Some(latency), .. }) => latency.usual_max(),
            _ => settings.latency.usual_max(),
        }
    }

    pub(super) fn set_cut(&mut self, from: HostId, to: HostId, is_cut: bool) {
        self.link(from, to).is_cut = is_cut;
        self.tidy(from, to);
    }

    pub(super) fn hold(&mut self, from: HostId, to: HostId) {
        self.link(from, to).held.get_or_insert_default();
    }

    /// Ends a hold, and returns the packets that waited.
    pub(super) fn release(&mut self, from: HostId, to: HostId) -> Vec<P> {
        let link = self.link(from, to);
        let packets = mem::take(&mut link.held).unwrap_or_default();
        self.tidy(from, to);
        packets
    }

    pub(super) fn set_latency(&mut self, from: HostId, to: HostId, latency: Latency) {
        self.link(from, to).latency = Some(latency);
    }

    pub(super) fn set_loss(&mut self, from: HostId, to: HostId, loss: f64) {
        self.link(from, to).loss = Some(loss);
    }

    pub(super) fn set_bandwidth(&mut self, from: HostId, to: HostId, bandwidth: u64) {
        self.link(from, to).bandwidth = Some(bandwidth);
    }

    /// Ends all that was set. Returns the packets that waited, link by link.
    pub(super) fn calm(&mut self) -> Vec<P> {
        let links = mem::take(&mut self.links).into_values();
        links.flat_map(|link| link.held.unwrap_or_default()).collect()
    }

    fn link(&mut self, from: HostId, to: HostId) -> &mut Link<P> {
        self.links.entry((from, to)).or_insert_with(|| Link {
            is_cut: false,
            held: None,
            latency: None,
            loss: None,
            bandwidth: None,
            free_at: 0,
        })
    }

    /// Removes a link that is as the settings say.
    fn tidy(&mut self, from: HostId, to: HostId) {
        let link = self.link(from, to);
        let is_set = link.is_cut
            || link.held.is_some()
            || link.latency.is_some()
            || link.loss.is_some()
            || link.bandwidth.is_some();
        // The queue of a limited bandwidth stays.
        if !is_set && link.free_at == 0 {
            self.links.remove(&(from, to));
        }
    }
}
