//! What `inspect` shows, as text.

use std::fmt;

use bpfsig_signing::program::Attach;

use super::view::{AttestedView, Bound, KernelView, SignatureView, TimestampView, View};

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<11}{}", "kind", self.kind)?;
        for remark in &self.remarks {
            writeln!(f, "{:<11}{remark}", "note")?;
        }
        for bound in &self.binds {
            write!(f, "{bound}")?;
        }
        if let Some(signature) = &self.signature {
            write!(f, "{signature}")?;
        }
        self.kernels.iter().try_for_each(|kernel| write!(f, "{kernel}"))?;
        self.package.iter().try_for_each(|package| write!(f, "{package}"))
    }
}

impl fmt::Display for KernelView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<11}{}", "kernel", self.release)?;
        writeln!(f, "{:<11}{}", "build id", self.build_id)?;
        write!(f, "{}", self.signature)?;
        for AttestedView { name, manifest, attested, facts } in &self.programs {
            let note = if *attested { "" } else { ": NOT ATTESTED" };
            writeln!(f, "{manifest}  program {name}{note}")?;
            writeln!(f, "{facts}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SignatureView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut field = |name: &str, value: &str| writeln!(f, "{name:<11}{value}");
        field("signature", &self.format)?;
        field("signer", &self.signer)?;
        field("algorithm", &self.algorithm)?;
        for TimestampView { time, authority } in &self.timestamps {
            field("timestamp", &format!("{time} by {authority}"))?;
        }
        if let Some(certificate) = &self.certificate {
            field("subject", &certificate.subject)?;
            field("issuer", &certificate.issuer)?;
            field("key", &certificate.key)?;
            field("valid from", &certificate.not_before)?;
            field("valid to", &certificate.not_after)?;
        }
        let Some(statement) = &self.statement else { return Ok(()) };
        field("expires", statement.expires.as_deref().unwrap_or("never"))?;
        statement.entries.iter().try_for_each(|bound| write!(f, "{bound}"))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.program {
            Some(program) => {
                writeln!(f, "{}  {} {}", self.digest, self.kind, program.whole_name())?;
                write!(f, "{}", program.manifest())?;
                if program.attach != Attach::None {
                    writeln!(f, "  {:<20} {}", "attaches to", program.attach)?;
                }
                for (index, slot) in program.slots.iter().enumerate() {
                    writeln!(f, "  {:<20} {slot}", format!("slot {index}"))?;
                }
                writeln!(f)
            }
            None => {
                let name = self.name.iter().map(|name| format!(" {name}")).collect::<String>();
                writeln!(f, "{}  {}{name}", self.digest, self.kind)
            }
        }
    }
}
