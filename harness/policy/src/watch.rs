//! Watching who loads what.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bpfsig_loading::{Hooks, Link, LoadedObject, OpenObject};
use libbpf_rs::{MapCore as _, MapFlags, MapHandle, RingBuffer, RingBufferBuilder};

use crate::error::{Error, Result};
use crate::load::Load;

/// `bpf/report.bpf.c`.
const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/report.bpf.o"));

/// Sees every load for as long as it exists. Refuses none.
pub struct Watch {
    ring: RingBuffer<'static>,
    lost: MapHandle,
    seen: Rc<RefCell<Vec<Load>>>,
    _links: Vec<Link>,
    _object: LoadedObject,
}

impl Watch {
    /// Starts to watch.
    ///
    /// # Errors
    /// The kernel does not describe loads, or refuses the program, as it does where signatures are required.
    pub fn start() -> Result<Self> {
        let object = OpenObject::open_memory(OBJECT)?.load()?;
        let [loads, lost] = ["loads", ".bss"].map(|name| {
            let map = object.map(name).ok_or(Error::Object("it lacks a map"))?;
            MapHandle::from_map_id(map.id()?).map_err(Error::Ring)
        });
        let (loads, lost) = (loads?, lost?);
        let seen = Rc::new(RefCell::new(Vec::new()));
        let mut rings = RingBufferBuilder::new();
        let sink = seen.clone();
        rings
            .add(&loads, move |record| {
                sink.borrow_mut().extend(Load::parse(record));
                0
            })
            .map_err(Error::Ring)?;
        let ring = rings.build().map_err(Error::Ring)?;
        let links = object.attach(&Hooks::new().by_section())?;
        Ok(Self { ring, lost, seen, _links: links, _object: object })
    }

    /// The loads since the last call.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn rest(&self) -> Result<Vec<Load>> {
        self.ring.consume().map_err(Error::Ring)?;
        Ok(self.seen.take())
    }

    /// The loads since the last call. If there are none, waits for one, for as long as `timeout` says.
    ///
    /// # Errors
    /// A signal interrupts it.
    pub fn next(&self, timeout: Duration) -> Result<Vec<Load>> {
        self.ring.poll(timeout).map_err(Error::Ring)?;
        Ok(self.seen.take())
    }

    /// Number of loads dropped because the buffer was full.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn lost(&self) -> Result<u64> {
        let value = self.lost.lookup(&0u32.to_ne_bytes(), MapFlags::ANY).map_err(Error::Ring)?;
        let value = value.and_then(|value| value.first_chunk().copied());
        Ok(value.map_or(0, u64::from_ne_bytes))
    }
}
