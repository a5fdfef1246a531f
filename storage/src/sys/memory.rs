//! A file system in memory with a live and a durable image, for the crash tests and the simulator.
//!
//! Every file and every directory keeps what the process sees, what the disk surely has, and the list of changes
//! in between. [`MemoryFs::kill`] ends the process: the live image stays, as a page cache does.
//! [`MemoryFs::power_cut`] ends the machine: of the changes since the last sync an arbitrary part arrives, the
//! last write torn at any byte or without some of its sectors. Changes inside one directory arrive in order, as
//! journals have it; writes to one file arrive in order or with holes. Both give a fresh handle; whoever holds an
//! old one gets errors.
//!
//! Faults: [`MemoryFs::fail_call`] lets the n-th call fail or stops the world there, and
//! [`MemoryFs::set_capacity`] fills the disk. A sync that fails has lost what it was to make durable, as on Linux:
//! the process goes on seeing it, the next sync succeeds, and only a power cut tells. Chance comes from the seed
//! alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::io::ErrorKind;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

use super::{DirEntry, File, FileLock, Fs, Mode, Space, sync_error};

/// What happens at the call chosen by [`MemoryFs::fail_call`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call and all later ones fail, as for a process that was killed; a write leaves its first `torn` bytes.
    Stop {
        /// Bytes of the write that still arrive.
        torn: usize,
    },
    /// The call fails once with `StorageFull` (a sync as one does that found no room: with another error); a write
    /// leaves half of its bytes.
    NoSpace,
    /// The disk is full from here on, with half of the bytes of a write, until [`MemoryFs::set_capacity`].
    Full,
    /// The call fails once with an input/output error; a write leaves half of its bytes.
    Io,
}

/// A handle to the file system of one (simulated) process.
#[derive(Clone)]
pub struct MemoryFs {
    state: Arc<Mutex<State>>,
    incarnation: u64,
}

type InodeId = u64;
const ROOT: InodeId = 0;

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

struct State {
    inodes: BTreeMap<InodeId, Inode>,
    next_inode: InodeId,
    incarnation: u64,
    locked: BTreeSet<InodeId>,
    calls: u64,
    /// Faults that have struck, those that stop the world excepted.
    struck: u64,
    /// One of them struck a sync.
    struck_sync: bool,
    fault: Option<(u64, Fault)>,
    /// The next sync of a file fails.
    sync_fails: bool,
    stopped: bool,
    capacity: u64,
    now_ms: i64,
}

enum Inode {
    Dir(Dir),
    File(Content),
}

#[derive(Default)]
struct Dir {
    live: BTreeMap<String, InodeId>,
    durable: BTreeMap<String, InodeId>,
    pending: Vec<DirChange>,
}

enum DirChange {
    Put(String, InodeId),
    Remove(String),
    Rename(String, String, InodeId),
}

#[derive(Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
    lent: Vec<Weak<LentBytes>>,
    modified_ms: i64,
    /// Up to where space is taken, beyond the end perhaps.
    reserved: u64,
}

enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

struct LentBytes {
    bytes: Vec<u8>,
    end: u64,
}

struct LentOwner(Arc<LentBytes>);

impl AsRef<[u8]> for LentOwner {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl Default for MemoryFs {
    fn default() -> MemoryFs {
        MemoryFs::new()
    }
}

impl MemoryFs {
    /// An empty file system without bounds and without faults.
    pub fn new() -> MemoryFs {
        let state = State {
            inodes: BTreeMap::from([(ROOT, Inode::Dir(Dir::default()))]),
            next_inode: ROOT + 1,
            incarnation: 0,
            locked: BTreeSet::new(),
            calls: 0,
            struck: 0,
            struck_sync: false,
            fault: None,
            sync_fails: false,
            stopped: false,
            capacity: u64::MAX,
            now_ms: 0,
        };
        MemoryFs {
            state: Arc::new(Mutex::new(state)),
            incarnation: 0,
        }
    }

    /// The handle as `Log::open` wants it.
    pub fn shared(&self) -> Arc<dyn Fs> {
        Arc::new(self.clone())
    }

    /// Calls made so far, the failed ones included.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Lets the call with this number (see [`MemoryFs::calls`]; the next one has the current count) fail.
    pub fn fail_call(&self, number: u64, fault: Fault) {
        self.state().fault = Some((number, fault));
    }

    /// Lets the next sync of a file fail.
    pub fn fail_sync(&self) {
        self.state().sync_fails = true;
    }

    /// How many faults have struck that did not stop the world.
    pub fn struck(&self) -> u64 {
        self.state().struck
    }

    /// Whether one of them struck a sync.
    pub fn struck_sync(&self) -> bool {
        self.state().struck_sync
    }

    /// Takes back a fault that has not happened yet.
    pub fn clear_fault(&self) {
        let mut state = self.state();
        state.fault = None;
        state.sync_fails = false;
    }

    /// How many bytes all files take together, what is reserved included.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// How many bytes all files may hold together. With 0 there is no room for another name either.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// The time that files changed from now on carry.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.state().now_ms = now_ms;
    }

    /// Whether a [`Fault::Stop`] has happened.
    pub fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Ends the process: the page cache stays, locks go, old handles are dead.
    pub fn kill(&self) -> MemoryFs {
        let mut state = self.state();
        state.restart();
        MemoryFs {
            state: Arc::clone(&self.state),
            incarnation: state.incarnation,
        }
    }

    /// Ends the machine: of what was not synced, the seed decides what arrived.
    pub fn power_cut(&self, seed: u64) -> MemoryFs {
        let mut random = Random(seed);
        let mut state = self.state();
        state.restart();
        for inode in state.inodes.values_mut() {
            match inode {
                Inode::Dir(dir) => dir.lose(&mut random),
                Inode::File(content) => content.lose(&mut random),
            }
        }
        MemoryFs {
            state: Arc::clone(&self.state),
            incarnation: state.incarnation,
        }
    }

    /// Flips one bit of a file, in both images.
    ///
    /// # Errors
    /// `NotFound` when there is no such file, `UnexpectedEof` when it is shorter.
    pub fn flip_bit(&self, path: &Path, bit: usize) -> io::Result<()> {
        let mut state = self.state();
        let id = state.find(path)?;
        let Some(Inode::File(content)) = state.inodes.get_mut(&id) else {
            return Err(ErrorKind::NotFound.into());
        };
        let (byte, mask) = (bit / 8, 1 << (bit % 8));
        *content.live.get_mut(byte).ok_or(ErrorKind::UnexpectedEof)? ^= mask;
        content.settle();
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call; gives the fault that a write has to carry out itself.
    fn enter(&self) -> io::Result<(MutexGuard<'_, State>, Option<Fault>)> {
        let mut state = self.state();
        if state.stopped || state.incarnation != self.incarnation {
            return Err(io::Error::other("the process that held this handle has ended"));
        }
        let number = state.calls;
        state.calls += 1;
        let fault = match state.fault {
            Some((at, fault)) if at == number => {
                state.fault = None;
                state.stopped = matches!(fault, Fault::Stop { .. });
                state.struck += u64::from(!state.stopped);
                if fault == Fault::Full {
                    state.capacity = 0;
                }
                Some(fault)
            }
            _ => None,
        };
        Ok((state, fault))
    }

    /// A call that takes no room by itself.
    fn call(&self) -> io::Result<MutexGuard<'_, State>> {
        let (state, fault) = self.enter()?;
        match fault {
            Some(Fault::Full) | None => Ok(state),
            Some(fault) => Err(fault.error()),
        }
    }

    /// A call that may need room for a name.
    fn call_for_name(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.call()?;
        if state.capacity == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(state)
    }
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Fault::Stop { .. } => io::Error::other("the process is killed at this call"),
            Fault::NoSpace | Fault::Full => ErrorKind::StorageFull.into(),
            Fault::Io => io::Error::other("injected input/output error"),
        }
    }
}

impl State {
    fn restart(&mut self) {
        self.incarnation += 1;
        self.stopped = false;
        self.fault = None;
        self.sync_fails = false;
        self.locked.clear();
        for inode in self.inodes.values_mut() {
            if let Inode::File(content) = inode {
                content.lent.clear();
            }
        }
    }

    fn find(&self, path: &Path) -> io::Result<InodeId> {
        let mut id = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else {
                continue;
            };
            let name = name.to_str().ok_or(ErrorKind::InvalidInput)?;
            let Some(Inode::Dir(dir)) = self.inodes.get(&id) else {
                return Err(ErrorKind::NotFound.into());
            };
            id = *dir.live.get(name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(id)
    }

    fn dir_mut(&mut self, id: InodeId) -> io::Result<&mut Dir> {
        match self.inodes.get_mut(&id) {
            Some(Inode::Dir(dir)) => Ok(dir),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn file_mut(&mut self, id: InodeId) -> io::Result<&mut Content> {
        match self.inodes.get_mut(&id) {
            Some(Inode::File(content)) => Ok(content),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    /// The directory that a path lies in, and the last name of the path.
    fn parent<'p>(&self, path: &'p Path) -> io::Result<(InodeId, &'p str)> {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or(ErrorKind::InvalidInput)?;
        let parent = match path.parent() {
            Some(parent) => self.find(parent)?,
            None => ROOT,
        };
        Ok((parent, name))
    }

    fn create(&mut self, parent: InodeId, name: &str, inode: Inode) -> io::Result<InodeId> {
        let id = self.next_inode;
        let dir = self.dir_mut(parent)?;
        dir.live.insert(name.to_owned(), id);
        dir.pending.push(DirChange::Put(name.to_owned(), id));
        self.inodes.insert(id, inode);
        self.next_inode += 1;
        Ok(id)
    }

    fn used(&self) -> u64 {
        let (mut used, mut reachable) = (0, vec![ROOT]);
        while let Some(id) = reachable.pop() {
            match self.inodes.get(&id) {
                Some(Inode::Dir(dir)) => reachable.extend(dir.live.values()),
                Some(Inode::File(content)) => used += content.space(),
                None => {}
            }
        }
        used
    }
}

impl Dir {
    fn lose(&mut self, random: &mut Random) {
        let arrived = random.below(self.pending.len() + 1);
        let in_order = random.below(3) == 0;
        for (number, change) in self.pending.drain(..).enumerate() {
            let arrives = if in_order {
                number < arrived
            } else {
                random.below(2) == 0
            };
            if !arrives {
                continue;
            }
            match change {
                DirChange::Put(name, id) => {
                    self.durable.insert(name, id);
                }
                DirChange::Remove(name) => {
                    self.durable.remove(&name);
                }
                DirChange::Rename(from, to, id) => {
                    self.durable.remove(&from);
                    self.durable.insert(to, id);
                }
            }
        }
        self.live = self.durable.clone();
    }
}

impl Content {
    /// How much of the disk it takes.
    fn space(&self) -> u64 {
        self.reserved.max(self.live.len() as u64)
    }

    fn apply(image: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Write(position, bytes) => {
                let end = position + bytes.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[*position..end].copy_from_slice(bytes);
            }
            Change::SetLen(len) => image.resize(*len, 0),
        }
    }

    fn change(&mut self, change: Change, now_ms: i64) {
        Self::apply(&mut self.live, &change);
        self.pending.push(change);
        self.modified_ms = now_ms;
    }

    /// All that was changed reaches the disk, and costs no more than it is.
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            Self::apply(&mut self.durable, &change);
        }
    }

    /// A sync that failed: every other change has arrived, and nobody will try the rest again.
    fn lose_sync(&mut self) {
        for change in std::mem::take(&mut self.pending).iter().skip(1).step_by(2) {
            Self::apply(&mut self.durable, change);
        }
    }

    fn settle(&mut self) {
        self.durable = self.live.clone();
        self.pending.clear();
    }

    fn lose(&mut self, random: &mut Random) {
        let pending = std::mem::take(&mut self.pending);
        let arrived = random.below(pending.len() + 1);
        let holes = random.below(4) == 0;
        for (index, change) in pending.into_iter().enumerate() {
            let torn = index == arrived;
            if index > arrived || (holes && random.below(2) == 0) {
                continue;
            }
            match change {
                Change::Write(position, mut bytes) if torn => {
                    tear(
                        &mut bytes,
                        self.durable.get(position..).unwrap_or_default(),
                        random,
                    );
                    Self::apply(&mut self.durable, &Change::Write(position, bytes));
                }
                Change::SetLen(_) if torn => {}
                change => Self::apply(&mut self.durable, &change),
            }
        }
        self.live = self.durable.clone();
    }
}

/// What a power cut leaves of a write over `old` bytes: its beginning, or all of its length with some sectors never
/// written.
fn tear(bytes: &mut Vec<u8>, old: &[u8], random: &mut Random) {
    if random.below(2) == 0 {
        bytes.truncate(random.below(bytes.len() + 1));
        return;
    }
    for (number, sector) in bytes.chunks_mut(SECTOR).enumerate() {
        if random.below(2) == 0 {
            let old = old.get(number * SECTOR..).unwrap_or_default();
            let old = old.iter().chain(std::iter::repeat(&0));
            sector.iter_mut().zip(old).for_each(|(byte, old)| *byte = *old);
        }
    }
}

impl Fs for MemoryFs {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>> {
        let mut state = self.call()?;
        let found = match state.find(path) {
            Ok(id) => Some(id),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let id = match (found, mode) {
            (Some(id), _) => id,
            (None, Mode::Create | Mode::Truncate) => {
                if state.capacity == 0 {
                    return Err(ErrorKind::StorageFull.into());
                }
                let (parent, name) = state.parent(path)?;
                state.create(parent, name, Inode::File(Content::default()))?
            }
            (None, Mode::Read | Mode::Write) => return Err(ErrorKind::NotFound.into()),
        };
        let now_ms = state.now_ms;
        let content = state.file_mut(id)?;
        if mode == Mode::Truncate && !content.live.is_empty() {
            content.change(Change::SetLen(0), now_ms);
        }
        Ok(Arc::new(MemoryFile { fs: self.clone(), id }))
    }

    fn list_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let state = self.call()?;
        let Some(Inode::Dir(dir)) = state.inodes.get(&state.find(path)?) else {
            return Err(ErrorKind::NotADirectory.into());
        };
        let entry = |(name, id): (&String, &InodeId)| {
            let (is_dir, len, modified_ms) = match &state.inodes[id] {
                Inode::Dir(_) => (true, 0, 0),
                Inode::File(content) => (false, content.live.len() as u64, content.modified_ms),
            };
            DirEntry {
                name: name.clone(),
                is_dir,
                len,
                modified_ms,
            }
        };
        Ok(dir.live.iter().map(entry).collect())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.call_for_name()?;
        let mut id = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else {
                continue;
            };
            let name = name.to_str().ok_or(ErrorKind::InvalidInput)?;
            id = match state.dir_mut(id)?.live.get(name) {
                Some(existing) => *existing,
                None => state.create(id, name, Inode::Dir(Dir::default()))?,
            };
        }
        state.dir_mut(id).map(|_| ())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.call()?;
        let (from_dir, from_name) = state.parent(from)?;
        let (to_dir, to_name) = state.parent(to)?;
        let id = state.find(from)?;
        if from_dir == to_dir {
            let dir = state.dir_mut(from_dir)?;
            dir.live.remove(from_name);
            dir.live.insert(to_name.to_owned(), id);
            dir.pending
                .push(DirChange::Rename(from_name.to_owned(), to_name.to_owned(), id));
            return Ok(());
        }
        let source = state.dir_mut(from_dir)?;
        source.live.remove(from_name);
        source.pending.push(DirChange::Remove(from_name.to_owned()));
        let target = state.dir_mut(to_dir)?;
        target.live.insert(to_name.to_owned(), id);
        target.pending.push(DirChange::Put(to_name.to_owned(), id));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.call()?;
        let (parent, name) = state.parent(path)?;
        let dir = state.dir_mut(parent)?;
        dir.live.remove(name).ok_or(ErrorKind::NotFound)?;
        dir.pending.push(DirChange::Remove(name.to_owned()));
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let (mut state, fault) = self.enter()?;
        let id = state.find(path)?;
        let dir = state.dir_mut(id)?;
        if let Some(fault) = fault.filter(|fault| *fault != Fault::Full) {
            if !matches!(fault, Fault::Stop { .. }) {
                dir.pending.clear();
                state.struck_sync = true;
            }
            return Err(sync_error(&fault.error()));
        }
        dir.durable = dir.live.clone();
        dir.pending.clear();
        Ok(())
    }

    fn sync_all(&self, _path: &Path) -> io::Result<()> {
        for inode in self.call()?.inodes.values_mut() {
            match inode {
                Inode::File(content) => content.sync(),
                Inode::Dir(dir) => {
                    dir.durable = dir.live.clone();
                    dir.pending.clear();
                }
            }
        }
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let state = self.call()?;
        match state.find(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let state = self.call()?;
        state.find(path)?;
        Ok(Space {
            total: state.capacity,
            usable: state.capacity.saturating_sub(state.used()),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        self.open(path, Mode::Create)?;
        let mut state = self.state();
        let id = state.find(path)?;
        if !state.locked.insert(id) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemoryLock { fs: self.clone(), id }))
    }
}

struct MemoryLock {
    fs: MemoryFs,
    id: InodeId,
}

impl FileLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut state = self.fs.state();
        if state.incarnation == self.fs.incarnation {
            state.locked.remove(&self.id);
        }
    }
}

struct MemoryFile {
    fs: MemoryFs,
    id: InodeId,
}

impl MemoryFile {
    fn with<T>(&self, then: impl FnOnce(&mut Content, i64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.fs.call()?;
        let now_ms = state.now_ms;
        then(state.file_mut(self.id)?, now_ms)
    }
}

fn to_usize(position: u64) -> usize {
    usize::try_from(position).expect("files in memory are small")
}

impl File for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        self.with(|content, _| Ok(content.live.len() as u64))
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        self.with(|content, _| {
            let from = to_usize(position).min(content.live.len());
            let read = into.len().min(content.live.len() - from);
            into[..read].copy_from_slice(&content.live[from..from + read]);
            Ok(read)
        })
    }

    fn write_at(&self, position: u64, parts: &[Bytes]) -> io::Result<()> {
        let (mut state, fault) = self.fs.enter()?;
        let mut bytes = parts.concat();
        let mut result = Ok(());
        if let Some(fault) = fault {
            bytes.truncate(match fault {
                Fault::Stop { torn } => torn,
                Fault::NoSpace | Fault::Full | Fault::Io => bytes.len() / 2,
            });
            result = Err(fault.error());
        }
        let grows = |len: usize, content: &Content| (position + len as u64).saturating_sub(content.space());
        let room = match state.capacity {
            u64::MAX => u64::MAX,
            capacity => capacity.saturating_sub(state.used()),
        };
        let now_ms = state.now_ms;
        let content = state.file_mut(self.id)?;
        let wanted = grows(bytes.len(), content);
        if wanted > room {
            bytes.truncate(bytes.len().saturating_sub(to_usize(wanted - room)));
            result = result.and(Err(ErrorKind::StorageFull.into()));
        }
        if !bytes.is_empty() {
            content.change(Change::Write(to_usize(position), bytes), now_ms);
        }
        result
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|content, now_ms| {
            content.lent.retain(|lent| lent.strong_count() > 0);
            if content
                .lent
                .iter()
                .filter_map(Weak::upgrade)
                .any(|lent| lent.end > len)
            {
                return Err(ErrorKind::ResourceBusy.into());
            }
            content.reserved = 0;
            content.change(Change::SetLen(to_usize(len)), now_ms);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut state, mut fault) = self.fs.enter()?;
        if std::mem::take(&mut state.sync_fails) && fault.is_none() {
            state.struck += 1;
            fault = Some(Fault::Io);
        }
        let content = state.file_mut(self.id)?;
        match fault {
            Some(Fault::Full) | None => {
                content.sync();
                Ok(())
            }
            Some(fault @ Fault::Stop { .. }) => Err(fault.error()),
            Some(fault) => {
                content.lose_sync();
                state.struck_sync = true;
                Err(sync_error(&fault.error()))
            }
        }
    }

    fn reserve(&self, position: u64, len: u64) -> io::Result<()> {
        let mut state = self.fs.call()?;
        let grows = match state.inodes.get(&self.id) {
            Some(Inode::File(content)) => (position + len).saturating_sub(content.space()),
            _ => 0,
        };
        if state.capacity != u64::MAX && state.used().saturating_add(grows) > state.capacity {
            return Err(ErrorKind::StorageFull.into());
        }
        let content = state.file_mut(self.id)?;
        content.reserved = content.reserved.max(position + len);
        Ok(())
    }

    fn map(&self, position: u64, len: usize) -> io::Result<Bytes> {
        self.with(|content, _| {
            let (start, end) = (to_usize(position), to_usize(position) + len);
            let bytes = content
                .live
                .get(start..end)
                .ok_or(ErrorKind::UnexpectedEof)?
                .to_vec();
            let lent = Arc::new(LentBytes {
                bytes,
                end: end as u64,
            });
            content.lent.retain(|lent| lent.strong_count() > 0);
            content.lent.push(Arc::downgrade(&lent));
            Ok(Bytes::from_owner(LentOwner(lent)))
        })
    }
}

/// SplitMix64: small, seeded, good enough to choose what a power cut leaves.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `[0, bound)`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = (bound as u64).max(1);
        usize::try_from(self.draw() % bound).expect("below a usize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fs: &MemoryFs, path: &str) -> io::Result<Vec<u8>> {
        super::super::read_all(fs, Path::new(path), usize::MAX)
    }

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_a_kill_keeps_all() {
        for seed in 0..50 {
            let fs = MemoryFs::new();
            fs.create_dir(Path::new("/d")).unwrap();
            fs.sync_dir(Path::new("/")).unwrap();
            let file = fs.open(Path::new("/d/f"), Mode::Create).unwrap();
            fs.sync_dir(Path::new("/d")).unwrap();
            file.write_at(0, &[Bytes::from_static(b"sure")]).unwrap();
            file.sync_data().unwrap();
            file.write_at(4, &[Bytes::from_static(b"perhaps")]).unwrap();
            let fs = fs.kill();
            assert_eq!(read(&fs, "/d/f").unwrap(), b"sureperhaps");
            assert!(file.len().is_err(), "a handle of the dead process");
            let fs = fs.power_cut(seed);
            let left = read(&fs, "/d/f").unwrap();
            let whole = b"sureperhaps".starts_with(&left[..]);
            let without_a_sector = left == b"sure\0\0\0\0\0\0\0";
            assert!(
                left.starts_with(b"sure") && (whole || without_a_sector),
                "seed {seed}"
            );
        }
    }

    #[test]
    fn a_name_is_durable_only_after_its_directory_is_synced() {
        let lost = (0..50).filter(|seed| {
            let fs = MemoryFs::new();
            fs.open(Path::new("/f"), Mode::Create)
                .unwrap()
                .sync_data()
                .unwrap();
            !fs.power_cut(*seed).exists(Path::new("/f")).unwrap()
        });
        let lost = lost.count();
        assert!(lost > 0 && lost < 50);
    }

    #[test]
    fn a_full_disk_takes_what_fits() {
        let fs = MemoryFs::new();
        fs.set_capacity(3);
        let file = fs.open(Path::new("/f"), Mode::Create).unwrap();
        let error = file.write_at(0, &[Bytes::from_static(b"abcdef")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(read(&fs, "/f").unwrap(), b"abc");
        assert!(file.reserve(0, 4).is_err());
    }
}
