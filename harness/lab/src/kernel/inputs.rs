//! What a kernel is built from, and the key in the cache that it makes.

use sha2::{Digest, Sha256};

/// Changed whenever the build does something else with the same inputs.
const RECIPE: u64 = 1;

/// Everything that decides what the built kernel is. The certificate authority does not: it is made new each time.
pub struct Inputs {
    /// Digest of the source.
    pub source: String,
    /// What the patches change that is built, in order.
    pub patches: Vec<String>,
    /// The config fragments' contents, in order.
    pub fragments: Vec<String>,
    /// The tools' versions.
    pub tools: Vec<String>,
}

impl Inputs {
    /// SHA-256 of all of it, in hex.
    pub fn key(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(RECIPE.to_le_bytes());
        for list in [std::slice::from_ref(&self.source), &self.patches, &self.fragments, &self.tools] {
            hash.update((list.len() as u64).to_le_bytes());
            for text in list {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
        }
        hex::encode(hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        let list = |text: &str| text.split(' ').map(str::to_owned).collect();
        Inputs {
            source: "source".into(),
            patches: list("a b"),
            fragments: list("c d"),
            tools: list("gcc ld"),
        }
    }

    #[test]
    fn the_key_changes_with_each_input() {
        let key = inputs().key();
        assert_eq!(inputs().key(), key);
        let changes: [fn(&mut Inputs); 7] = [
            |inputs| inputs.source.push('!'),
            |inputs| inputs.patches[1].push('!'),
            |inputs| inputs.patches.swap(0, 1),
            |inputs| inputs.patches = vec!["ab".into()],
            |inputs| inputs.fragments[0].push('!'),
            |inputs| inputs.tools[0].push('!'),
            // The same texts, another meaning.
            |inputs| inputs.fragments = inputs.patches.drain(..).chain(inputs.fragments.drain(..)).collect(),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut changed = inputs();
            change(&mut changed);
            assert_ne!(changed.key(), key, "change {index}");
        }
    }
}
