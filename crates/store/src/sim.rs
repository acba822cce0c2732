//! A simulated disk that forgets what was not synced, as harshly as POSIX allows.
//!
//! The model follows published crash-consistency studies: at a power cut any subset of the unsynced 512-byte
//! sectors persists, each in any version it had since the last sync; names have a durability of their own; a
//! failed sync leaves the pages clean and the data gone while the next sync says `Ok`. A *kill* keeps the page
//! cache, a *power cut* does not. Faults and crash points are drawn from a seed, so every run can be repeated.

pub mod crash;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::Arc,
};

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile};

/// Bytes that persist together.
pub const SECTOR_BYTES: usize = 512;

/// A small fast generator (xorshift64*): the simulation must be repeatable, not secret.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Returns the generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns the next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Returns a number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.draw() >> 16) % bound.max(1)
    }

    /// Returns true once in `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// How often each fault happened; a harness reports the ones that never did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Power cuts and kills.
    pub crashes: u64,
    /// Sectors that were lost or fell back to an older version.
    pub lost_sectors: u64,
    /// Names that were lost or came back.
    pub lost_names: u64,
    /// Writes that only wrote a part.
    pub short_writes: u64,
    /// Calls that were interrupted.
    pub interrupted: u64,
    /// Syncs that failed and lost data.
    pub failed_syncs: u64,
    /// Writes that failed for lack of space or otherwise.
    pub failed_writes: u64,
    /// Bits flipped at rest.
    pub flipped: u64,
}

impl Faults {
    /// Adds another run's counts.
    pub fn add(&mut self, other: &Self) {
        self.crashes += other.crashes;
        self.lost_sectors += other.lost_sectors;
        self.lost_names += other.lost_names;
        self.short_writes += other.short_writes;
        self.interrupted += other.interrupted;
        self.failed_syncs += other.failed_syncs;
        self.failed_writes += other.failed_writes;
        self.flipped += other.flipped;
    }
}

/// How likely faults are: one in so many operations; 0 = never.
#[derive(Debug, Clone, Copy, Default)]
pub struct FaultMix {
    /// Short writes.
    pub short_write: u64,
    /// `EINTR`.
    pub interrupt: u64,
    /// `EIO` from sync, data gone.
    pub sync: u64,
    /// `ENOSPC` or `EIO` from write.
    pub write: u64,
}

#[derive(Debug, Default)]
struct Inode {
    /// What a reader sees: the page cache over the platter.
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// Every version a sector had since the last sync.
    dirty: BTreeMap<usize, Vec<[u8; SECTOR_BYTES]>>,
}

#[derive(Debug)]
struct World {
    inodes: Vec<Inode>,
    names: HashMap<String, usize>,
    durable_names: HashMap<String, usize>,
    /// Names that changed since the last directory sync.
    dirty_names: Vec<String>,
    random: Random,
    mix: FaultMix,
    faults: Faults,
    /// Operations until the machine stops; every call fails from then on.
    fuse: u64,
}

/// The simulated directory. Clones share it: one clone is the machine, the others are open handles.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<World>>);

/// An open file of it.
#[derive(Debug)]
pub struct SimFile {
    world: Arc<Mutex<World>>,
    inode: usize,
}

fn stopped() -> io::Error {
    io::Error::other("the machine stopped")
}

impl World {
    fn step(&mut self) -> io::Result<()> {
        if self.fuse == 0 {
            return Err(stopped());
        }
        self.fuse -= 1;
        if self.mix.interrupt > 0 && self.random.one_in(self.mix.interrupt) {
            self.faults.interrupted += 1;
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(())
    }

    /// Directory calls are not interrupted: the journal does not retry them, nor does any real kernel ask for it.
    fn step_name(&mut self) -> io::Result<()> {
        if self.fuse == 0 {
            return Err(stopped());
        }
        self.fuse -= 1;
        Ok(())
    }

    fn touch(&mut self, name: &str) {
        if !self.dirty_names.iter().any(|dirty| dirty == name) {
            self.dirty_names.push(name.to_owned());
        }
    }
}

impl SimDisk {
    /// Returns an empty disk. `seed` decides every fault and every loss.
    pub fn new(seed: u64, mix: FaultMix) -> Self {
        Self(Arc::new(Mutex::new(World {
            inodes: vec![],
            names: HashMap::new(),
            durable_names: HashMap::new(),
            dirty_names: vec![],
            random: Random::new(seed),
            mix,
            faults: Faults::default(),
            fuse: u64::MAX,
        })))
    }

    /// Lets the machine stop after `operations` more calls.
    pub fn set_fuse(&self, operations: u64) {
        self.0.lock().fuse = operations;
    }

    /// Changes the fault mix.
    pub fn set_mix(&self, mix: FaultMix) {
        self.0.lock().mix = mix;
    }

    /// Returns how often each fault happened.
    pub fn faults(&self) -> Faults {
        self.0.lock().faults
    }

    /// The process dies, the machine goes on: everything written stays readable, nothing more became durable.
    pub fn kill(&self) {
        let mut world = self.0.lock();
        world.fuse = u64::MAX;
        world.faults.crashes += 1;
    }

    /// The power goes: of what was not synced, any part persists.
    pub fn cut_power(&self) {
        let mut world = self.0.lock();
        let World { inodes, names, durable_names, dirty_names, random, faults, .. } = &mut *world;
        for name in dirty_names.drain(..) {
            if random.one_in(2) {
                faults.lost_names += 1;
                continue;
            }
            match names.get(&name) {
                Some(&inode) => drop(durable_names.insert(name, inode)),
                None => drop(durable_names.remove(&name)),
            }
        }
        names.clone_from(durable_names);
        for inode in inodes.iter_mut() {
            for (sector, versions) in std::mem::take(&mut inode.dirty) {
                let pick = random.below(versions.len() as u64 + 1) as usize;
                if pick < versions.len() {
                    faults.lost_sectors += 1;
                }
                let Some(version) = pick.checked_sub(1).map(|at| versions[at]) else { continue };
                let end = (sector + 1) * SECTOR_BYTES;
                if inode.durable.len() < end {
                    inode.durable.resize(end, 0);
                }
                inode.durable[sector * SECTOR_BYTES..end].copy_from_slice(&version);
            }
            inode.cached.clone_from(&inode.durable);
        }
        world.fuse = u64::MAX;
        world.faults.crashes += 1;
    }

    /// Flips one bit of the durable bytes of `name` at `offset`.
    pub fn flip(&self, name: &str, offset: usize, bit: u8) {
        let mut world = self.0.lock();
        let Some(&inode) = world.names.get(name) else { return };
        let inode = &mut world.inodes[inode];
        for bytes in [&mut inode.cached, &mut inode.durable] {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= 1 << (bit & 7);
            }
        }
        world.faults.flipped += 1;
    }

    /// Returns the names and lengths of all files.
    pub fn files(&self) -> Vec<(String, usize)> {
        let world = self.0.lock();
        let mut files: Vec<_> = world
            .names
            .iter()
            .map(|(name, &inode)| (name.clone(), world.inodes[inode].cached.len()))
            .collect();
        files.sort();
        files
    }

    fn file(&self, inode: usize) -> SimFile {
        SimFile { world: Arc::clone(&self.0), inode }
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn list(&mut self) -> io::Result<Vec<String>> {
        let mut world = self.0.lock();
        world.step_name()?;
        let mut names: Vec<String> = world.names.keys().cloned().collect();
        names.sort();
        Ok(names)
    }

    fn create(&mut self, name: &str) -> io::Result<SimFile> {
        let mut world = self.0.lock();
        world.step_name()?;
        if world.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        world.inodes.push(Inode::default());
        let inode = world.inodes.len() - 1;
        world.names.insert(name.to_owned(), inode);
        world.touch(name);
        drop(world);
        Ok(self.file(inode))
    }

    fn open(&mut self, name: &str) -> io::Result<SimFile> {
        let mut world = self.0.lock();
        world.step_name()?;
        let inode = *world.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        drop(world);
        Ok(self.file(inode))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.0.lock();
        world.step_name()?;
        let inode = world.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        world.names.insert(to.to_owned(), inode);
        world.touch(from);
        world.touch(to);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut world = self.0.lock();
        world.step_name()?;
        world.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        world.touch(name);
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        let mut world = self.0.lock();
        world.step_name()?;
        let World { names, durable_names, dirty_names, .. } = &mut *world;
        dirty_names.clear();
        durable_names.clone_from(names);
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn bytes(&mut self) -> io::Result<u64> {
        let mut world = self.world.lock();
        world.step_name()?;
        Ok(world.inodes[self.inode].cached.len() as u64)
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let mut world = self.world.lock();
        world.step()?;
        let cached = &world.inodes[self.inode].cached;
        let start = (offset as usize).min(cached.len());
        let count = out.len().min(cached.len() - start);
        out[..count].copy_from_slice(&cached[start..start + count]);
        Ok(count)
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<usize> {
        let mut world = self.world.lock();
        let alive = world.step();
        if let Err(error) = &alive
            && error.kind() == io::ErrorKind::Interrupted
        {
            return alive.map(|()| 0);
        }
        let World { inodes, random, mix, faults, .. } = &mut *world;
        let mut count = data.len();
        // The call during which the machine stops may have written a part.
        if alive.is_err() {
            count = random.below(data.len() as u64 + 1) as usize;
        } else if mix.write > 0 && random.one_in(mix.write) {
            faults.failed_writes += 1;
            return Err(io::ErrorKind::StorageFull.into());
        } else if mix.short_write > 0 && data.len() > 1 && random.one_in(mix.short_write) {
            faults.short_writes += 1;
            count = 1 + random.below(data.len() as u64 - 1) as usize;
        }
        inodes[self.inode].write(offset as usize, &data[..count]);
        alive.map(|()| count)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.world.lock();
        world.step_name()?;
        let World { inodes, random, mix, faults, .. } = &mut *world;
        let inode = &mut inodes[self.inode];
        if mix.sync > 0 && random.one_in(mix.sync) {
            faults.failed_syncs += 1;
            // Pages are clean now and the data is gone, yet a reader still sees it in the cache.
            inode.dirty.clear();
            return Err(io::Error::other("input/output error"));
        }
        for (sector, versions) in std::mem::take(&mut inode.dirty) {
            let end = (sector + 1) * SECTOR_BYTES;
            if inode.durable.len() < end {
                inode.durable.resize(end, 0);
            }
            if let Some(newest) = versions.last() {
                inode.durable[sector * SECTOR_BYTES..end].copy_from_slice(newest);
            }
        }
        inode.durable.truncate(inode.cached.len());
        Ok(())
    }
}

impl Inode {
    fn write(&mut self, offset: usize, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let end = offset + data.len();
        if self.cached.len() < end {
            self.cached.resize(end, 0);
        }
        self.cached[offset..end].copy_from_slice(data);
        for sector in offset / SECTOR_BYTES..=(end - 1) / SECTOR_BYTES {
            let start = sector * SECTOR_BYTES;
            let stop = (start + SECTOR_BYTES).min(self.cached.len());
            let mut version = [0; SECTOR_BYTES];
            version[..stop - start].copy_from_slice(&self.cached[start..stop]);
            self.dirty.entry(sector).or_default().push(version);
        }
    }
}
