//! The times of steps, from one run to the next.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cache_dir;
use crate::output_file::OutputFile;

/// In the cache.
const FILE: &str = "times.json";

/// The time of each kind of step in its last run, in seconds for each item. It is only a guess for the next run, so a file that
/// can't be read or written is not an error.
#[derive(Default)]
pub struct History {
    file: Option<PathBuf>,
    seconds: BTreeMap<String, f64>,
}

impl History {
    /// This machine's history.
    pub fn open() -> History {
        cache_dir::cache().map_or_else(|_| History::default(), |cache| History::at(&cache.join(FILE)))
    }

    fn at(file: &Path) -> History {
        let parsed = fs::read(file).ok().and_then(|json| serde_json::from_slice(&json).ok());
        History { file: Some(file.to_owned()), seconds: parsed.unwrap_or_default() }
    }

    /// The time that a step with so many items would take.
    pub fn get(&self, step: &str, items: u64) -> Option<Duration> {
        let seconds = self.seconds.get(step)? * items as f64;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// A step with so many items has been done.
    pub fn put(&mut self, step: &str, items: u64, elapsed: Duration) {
        self.seconds.insert(step.to_owned(), elapsed.as_secs_f64() / items.max(1) as f64);
        let Some(file) = &self.file else { return };
        let json = serde_json::to_vec_pretty(&self.seconds).expect("text and numbers");
        let _ = OutputFile::new(file).and_then(|file| file.write(|out| Ok(out.write_all(&json)?)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_there_in_the_next_run() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        let mut history = History::at(&file);
        assert_eq!(history.get("Measure", 1), None);
        history.put("Measure", 20, Duration::from_secs(50));
        assert_eq!(History::at(&file).get("Measure", 2), Some(Duration::from_secs(5)));
        fs::write(&file, "damaged").unwrap();
        assert_eq!(History::at(&file).get("Measure", 2), None);
    }
}
