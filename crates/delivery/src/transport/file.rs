//! Rotating files, appended to and synced before a batch counts as delivered.
//!
//! The file stands under `<root>/<environment>/<tenant>/`; every part is percent-encoded. No part below the root may
//! be a symbolic link: directories are looked at, and an opened file must be the very file that its name stands for.
//! A lock keeps two destinations from writing one file. What a crash left after the last whole line is cut off when
//! the file is opened: it was never confirmed and is sent again.

mod name;
mod writer;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use attestary_event::{EnvironmentId, TenantId};
use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::time::timeout;

use super::{EXCHANGE_MAX, Transport, too_slow, wrong_kind};
use crate::{
    destination::Request,
    health::Cause,
    verdict::{Failure, Reply},
};
use writer::Writer;

/// Where a file stands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: Option<PathBuf>,
    directories: [String; 2],
    file: String,
}

impl Place {
    pub(crate) fn new(
        root: Option<PathBuf>,
        environment: &EnvironmentId,
        tenant: &TenantId,
        file: &str,
    ) -> Self {
        let directories = [name::of_id(environment.as_str()), name::of_id(tenant.as_str())];
        Self { root, directories, file: name::of_file(file) }
    }
}

/// The file transport.
pub(crate) struct Files {
    writer: Arc<Mutex<Writer>>,
}

impl Files {
    pub(crate) fn new(place: Place, rotate_bytes: u64, files_max: Option<u32>) -> Self {
        Self { writer: Arc::new(Mutex::new(Writer::new(place, rotate_bytes, files_max))) }
    }
}

impl Transport for Files {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Lines(lines) = request else { return wrong_kind() };
            let writer = self.writer.clone();
            let write = tokio::task::spawn_blocking(move || append(&writer, &lines));
            match timeout(EXCHANGE_MAX, write).await {
                Ok(Ok(Ok(()))) => Reply::Written,
                Ok(Ok(Err(failure))) => Reply::Failed(failure),
                Ok(Err(_)) => {
                    Reply::Failed(Failure::new(Cause::Storage, "the write was abandoned"))
                }
                Err(_) => Reply::Failed(too_slow("writing to the disk")),
            }
        })
    }
}

fn append(writer: &Mutex<Writer>, lines: &Bytes) -> Result<(), Failure> {
    // A write that outlived its deadline may still hold the writer; its thread must not be joined by another.
    let mut writer = match writer.try_lock() {
        Ok(writer) => writer,
        Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(std::sync::TryLockError::WouldBlock) => {
            return Err(Failure::new(
                Cause::Storage,
                "an earlier write to the disk has not ended yet",
            ));
        }
    };
    writer.append(lines)
}
