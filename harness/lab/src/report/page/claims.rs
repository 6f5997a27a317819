//! Claims: what each approach can and can't do, and the test that shows it.

/// A way to make sure that programs are those that somebody trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approach {
    /// The series of this project.
    Signed,
    /// Mainline's signed loader programs.
    Mainline,
    /// A list of loaders.
    ApproveList,
}

/// In the order of the columns.
pub const APPROACHES: &[(Approach, &str)] = &[
    (Approach::Signed, "signed programs"),
    (Approach::Mainline, "mainline"),
    (Approach::ApproveList, "approve-list"),
];

/// What one might want.
pub struct Claim {
    pub what: &'static str,
    pub answers: &'static [Answer],
}

/// What an approach does about it.
pub struct Answer {
    pub approach: Approach,
    pub says: &'static str,
    /// In `harness/lab/tests/vm`.
    pub file: &'static str,
    /// The function in there.
    pub test: &'static str,
}

impl Claim {
    /// What an approach does about it; none if no test shows it.
    pub fn answer(&self, approach: Approach) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.approach == approach)
    }
}

const fn signed(says: &'static str, file: &'static str, test: &'static str) -> Answer {
    Answer { approach: Approach::Signed, says, file, test }
}

const fn mainline(says: &'static str, test: &'static str) -> Answer {
    Answer { approach: Approach::Mainline, says, file: "mainline.rs", test }
}

const fn listed(says: &'static str, test: &'static str) -> Answer {
    Answer { approach: Approach::ApproveList, says, file: "approve_list.rs", test }
}

const fn evades_list(says: &'static str, test: &'static str) -> Answer {
    Answer { approach: Approach::ApproveList, says, file: "approve_list_evaded.rs", test }
}

/// Where signatures are required, getting past a list does not help to load an unsigned program.
const REQUIRED: Answer =
    signed("refused, if unsigned", "approve_list_evaded.rs", "policy_required_stops_all_of_it");

/// First what is to be carried, then what is to be stopped.
pub const CLAIMS: &[Claim] = &[
    Claim {
        what: "each program of the corpus, as the compiler wrote it",
        answers: &[signed("loaded", "accepted.rs", "each_program_of_the_corpus")],
    },
    Claim {
        what: "the same instructions in the kernel as from libbpf",
        answers: &[signed("yes", "xlated.rs", "each_program_of_the_corpus")],
    },
    Claim {
        what: "Debian's xdp-tools, unmodified",
        answers: &[signed("loaded", "xdp_tools.rs", "each_object")],
    },
    Claim { what: "maps of each type", answers: &[signed("loaded", "maps.rs", "each_type_of_map")] },
    Claim {
        what: "one signature for kernels with other structures",
        answers: &[signed("loaded", "portable.rs", "one_signature_for_all_layouts")],
    },
    Claim {
        what: "one signature for many programs and files",
        answers: &[signed("loaded", "accepted.rs", "statement_about_many_programs_and_files")],
    },
    Claim {
        what: "an instruction changed after signing",
        answers: &[
            signed("refused", "refused_program.rs", "changed_instruction"),
            mainline("refused", "wrong_signatures"),
        ],
    },
    Claim {
        what: "another attach target",
        answers: &[signed("refused", "refused_program.rs", "changed_attach_target")],
    },
    Claim {
        what: "a map defined in another way",
        answers: &[signed("refused", "maps.rs", "changed_definition")],
    },
    Claim { what: "other constants", answers: &[signed("refused", "maps.rs", "changed_constants")] },
    Claim {
        what: "other contents of a map that is not constant",
        answers: &[signed("loaded: they are data", "maps.rs", "contents_of_mutable_maps")],
    },
    Claim {
        what: "a caller who changes its memory, maps or descriptors during the load",
        answers: &[signed("refused", "races.rs", "no_change_gets_past_the_signature")],
    },
    Claim {
        what: "a signer whom the kernel does not know",
        answers: &[
            signed("refused", "refused_signer.rs", "unknown_signer"),
            mainline("refused", "wrong_signatures"),
        ],
    },
    Claim {
        what: "a forged signature",
        answers: &[
            signed("refused", "refused_signer.rs", "forged_signature"),
            mainline("refused", "wrong_signatures"),
        ],
    },
    Claim {
        what: "a statement past its expiry",
        answers: &[signed("refused", "refused_message.rs", "expired_statement")],
    },
    Claim {
        what: "a key that was revoked or has expired",
        answers: &[signed("refused", "policy_keyring.rs", "revoked_and_expired_keys")],
    },
    Claim {
        what: "a key that root trusts, but no authority has issued",
        answers: &[signed("not taken", "policy_keyring.rs", "takes_nobody_else")],
    },
    Claim {
        what: "one program of a trusted signer, denied later",
        answers: &[signed("refused", "policy_denylist.rs", "one_program_of_a_signer")],
    },
    Claim {
        what: "an unsigned program, whoever loads it, where signatures are required",
        answers: &[
            signed("refused", "policy_required.rs", "refuses_each_user"),
            mainline("loaded: nothing is required", "signatures_of_all_algorithms_and_none"),
            listed("refused, unless by a listed loader", "only_listed_loaders_load"),
        ],
    },
    Claim {
        what: "what a verified loader program loads, where signatures are required",
        answers: &[signed(
            "refused: it has no statement",
            "policy_required.rs",
            "refuses_loads_by_verified_programs",
        )],
    },
    Claim {
        what: "root, who does not want signatures to be required any more",
        answers: &[
            signed("not until the next boot", "policy_latch.rs", "cannot_be_taken_back"),
            evades_list("takes the list away", "root_takes_the_list_away"),
        ],
    },
    Claim {
        what: "a loader that has been changed",
        answers: &[listed("can't be changed, and another is refused", "a_listed_loader_can_not_be_changed")],
    },
    Claim {
        what: "root, who wants another loader to be taken",
        answers: &[listed("the list can't be changed", "a_list_can_not_be_changed")],
    },
    Claim {
        what: "a malicious object, by a trusted loader",
        answers: &[REQUIRED, evades_list("loaded", "a_listed_loader_loads_any_object")],
    },
    Claim {
        what: "a script of a trusted interpreter",
        answers: &[REQUIRED, evades_list("loads anything", "a_listed_interpreter_runs_any_script")],
    },
    Claim {
        what: "a library that a trusted loader is made to load",
        answers: &[REQUIRED, evades_list("loads anything", "a_library_acts_for_a_listed_loader")],
    },
    Claim {
        what: "a debugger of a trusted loader",
        answers: &[REQUIRED, evades_list("loads anything", "a_debugger_acts_for_a_listed_loader")],
    },
    Claim {
        what: "root, who claims to run a trusted loader",
        answers: &[REQUIRED, evades_list("loads anything", "anybody_pretends_to_be_a_listed_loader")],
    },
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn tests_are_where_the_links_lead() {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm");
        for answer in CLAIMS.iter().flat_map(|claim| claim.answers) {
            let text = fs::read_to_string(tests.join(answer.file)).unwrap();
            assert!(text.contains(&format!("fn {}()", answer.test)), "{} in {}", answer.test, answer.file);
        }
    }
}
