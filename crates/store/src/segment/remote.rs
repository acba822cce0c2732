//! Segments in an object store of a cloud: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.
//!
//! Objects are written with create-only: a name is never used twice, and an object that is there already counts as
//! written when it is the same. Large ones are uploaded in parts. What is read is kept in a local cache of blocks.

use std::{path::Path, str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt as _, ObjectStoreScheme, PutMode, PutOptions,
    PutPayload, RetryConfig, WriteMultipart,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    path::Path as ObjectPath,
    prefix::PrefixStore,
};
use url::Url;

use super::{SegmentError, blocks::BlockCache, sha256};
use crate::catalog::SegmentMeta;

/// Larger objects are uploaded in parts of this size, a few at a time.
const PART_BYTES: usize = 16 << 20;
const PARTS_IN_FLIGHT: usize = 2;
/// A request is given up after this long, all its retries included; whoever asked tries again later.
const RETRY_TIME_MAX: Duration = Duration::from_secs(20);
const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Where segments are when they are not in the data directory.
#[derive(Clone, PartialEq, Eq)]
pub struct Objects {
    /// `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    pub url: String,
    /// Names and values that the object store's client understands, such as `aws_region`; some are secret.
    pub options: Vec<(String, String)>,
    /// Bytes of the local cache of what was read.
    pub cache_bytes_max: u64,
}

/// Values of options may be secret.
impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.options.iter().map(|(name, _)| name).collect();
        f.debug_struct("Objects")
            .field("url", &self.url)
            .field("options", &names)
            .field("cache_bytes_max", &self.cache_bytes_max)
            .finish()
    }
}

impl Objects {
    /// Says what is wrong with the settings, without asking anybody.
    pub fn check(&self) -> Result<(), String> {
        self.store().map(drop)
    }

    fn store(&self) -> Result<Arc<dyn ObjectStore>, String> {
        let url = Url::parse(&self.url).map_err(|error| format!("{:?}: {error}", self.url))?;
        let unknown = || format!("{:?} begins with none of s3://, gs:// and az://", self.url);
        let (scheme, prefix) = ObjectStoreScheme::parse(&url).map_err(|_| unknown())?;
        let failed = |error: object_store::Error| error.to_string();
        macro_rules! built {
            ($builder:ty, $key:ty) => {{
                let mut builder = <$builder>::new()
                    .with_url(self.url.as_str())
                    .with_client_options(client())
                    .with_retry(retry());
                for (name, value) in &self.options {
                    let key = <$key>::from_str(name).map_err(failed)?;
                    builder = builder.with_config(key, value);
                }
                Arc::new(builder.build().map_err(failed)?) as Arc<dyn ObjectStore>
            }};
        }
        let store = match scheme {
            ObjectStoreScheme::AmazonS3 => built!(AmazonS3Builder, AmazonS3ConfigKey),
            ObjectStoreScheme::GoogleCloudStorage => {
                built!(GoogleCloudStorageBuilder, GoogleConfigKey)
            }
            ObjectStoreScheme::MicrosoftAzure => built!(MicrosoftAzureBuilder, AzureConfigKey),
            _ => return Err(unknown()),
        };
        Ok(match prefix.as_ref() {
            "" => store,
            _ => Arc::new(PrefixStore::new(store, prefix)),
        })
    }
}

fn client() -> ClientOptions {
    ClientOptions::new().with_timeout(REQUEST_TIME_MAX).with_connect_timeout(CONNECT_TIME_MAX)
}

fn retry() -> RetryConfig {
    RetryConfig { retry_timeout: RETRY_TIME_MAX, ..RetryConfig::default() }
}

/// An object store with the runtime that its client needs, and the cache.
pub(super) struct Remote {
    store: Arc<dyn ObjectStore>,
    cache: BlockCache,
    /// Taken when this is dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Drop for Remote {
    /// The last handle may go on a thread that must not wait.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Remote {
    pub(super) fn new(objects: &Objects, dir: &Path) -> Result<Self, SegmentError> {
        let wrong = |what: String| SegmentError::Objects { what };
        let unreadable =
            |source| SegmentError::Read { path: dir.join("cache").display().to_string(), source };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("objects")
            .enable_all()
            .build()
            .map_err(unreadable)?;
        Ok(Self {
            store: objects.store().map_err(wrong)?,
            cache: BlockCache::open(&dir.join("cache"), objects.cache_bytes_max)
                .map_err(unreadable)?,
            runtime: Some(runtime),
        })
    }

    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Runs a request to its end on this (blocking) thread.
    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.as_ref().expect("it is taken by drop alone").block_on(future)
    }

    /// Writes an object that is there already only if it is the same.
    pub(super) fn put(&self, meta: &SegmentMeta, bytes: Bytes) -> Result<(), SegmentError> {
        let path = ObjectPath::from(meta.path.as_str());
        let put = self.wait(async {
            if bytes.len() <= PART_BYTES {
                let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
                self.store.put_opts(&path, PutPayload::from_bytes(bytes), options).await.map(drop)
            } else {
                self.put_parts(&path, bytes).await
            }
        });
        match put {
            Ok(()) => Ok(()),
            // The answer to an earlier try may have been lost.
            Err(object_store::Error::AlreadyExists { .. }) if self.holds(meta)? => Ok(()),
            Err(source) => Err(SegmentError::Store { path: meta.path.clone(), source }),
        }
    }

    /// Uploads in parts have no create-only everywhere; the name is new, and asking first is a second net.
    async fn put_parts(&self, path: &ObjectPath, bytes: Bytes) -> object_store::Result<()> {
        match self.store.head(path).await {
            Err(object_store::Error::NotFound { .. }) => {}
            Ok(_) => {
                let path = path.to_string();
                let source = "it is there already".into();
                return Err(object_store::Error::AlreadyExists { path, source });
            }
            Err(error) => return Err(error),
        }
        let upload = self.store.put_multipart(path).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let mut rest = bytes;
        while !rest.is_empty() {
            upload.wait_for_capacity(PARTS_IN_FLIGHT).await?;
            upload.put(rest.split_to(rest.len().min(PART_BYTES)));
        }
        upload.finish().await.map(drop)
    }

    fn holds(&self, meta: &SegmentMeta) -> Result<bool, SegmentError> {
        let path = ObjectPath::from(meta.path.as_str());
        let read = self.wait(async { self.store.get(&path).await?.bytes().await });
        let bytes =
            read.map_err(|source| SegmentError::Store { path: meta.path.clone(), source })?;
        Ok(sha256(&bytes) == meta.sha256)
    }

    /// Fills `out` with the blocks from `start` on: from the cache where it has them, else from the store.
    ///
    /// Blocks of the cache count only with their CRC; what comes from the store is checked by the caller.
    pub(super) fn fetch(
        &self,
        path: &ObjectPath,
        start: u64,
        out: &mut [u8],
        block_bytes: usize,
        crcs: &[u32],
    ) -> std::io::Result<()> {
        let name = path.filename().unwrap_or_default();
        let first = start / block_bytes as u64;
        let mut missing: Vec<std::ops::Range<usize>> = Vec::new();
        let found = self.cache.read(name, start, out);
        for (number, block) in out.chunks(block_bytes).enumerate() {
            let at = number * block_bytes;
            let crc = crcs.get(first as usize + number);
            if at + block.len() <= found && crc == Some(&crc32c::crc32c(block)) {
                continue;
            }
            match missing.last_mut() {
                Some(last) if last.end == at => last.end = at + block.len(),
                _ => missing.push(at..at + block.len()),
            }
        }
        for range in missing {
            let from = start + range.start as u64;
            let bytes = self
                .wait(self.store.get_range(path, from..from + range.len() as u64))
                .map_err(std::io::Error::from)?;
            if bytes.len() != range.len() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.cache.write(name, from, &bytes);
            out[range].copy_from_slice(&bytes);
        }
        Ok(())
    }

    /// Drops what is cached of a deleted object.
    pub(super) fn forget(&self, path: &str) {
        self.cache.remove(path.rsplit('/').next().unwrap_or(path));
    }
}
