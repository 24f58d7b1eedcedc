//! One zone and type that may have a machine for us, and the request for it.

use super::Spec;
use crate::ec2::call::{Architecture, Hidden, Image, Run, Subnet};
use crate::ec2::image::Source;
use crate::ec2::tags;
use crate::failure::Failure;
use crate::ledger::{Entry, Token};
use crate::money::Usd;
use crate::provider::Kind;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// A request for a machine, complete.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) run: Run,
    /// A digest of everything in it but token and tags.
    pub(crate) hash: String,
    pub(crate) hourly: Usd,
}

impl Candidate {
    /// A machine of type `kind` in `subnet`. The same lease, region and parameters make the same token, so that a
    /// process that takes over repeats the request that may have been answered.
    ///
    /// # Errors
    /// If the boot data do not fit.
    pub(crate) fn new(
        spec: &Spec,
        (kind, hourly): &(String, Usd),
        subnet: &Subnet,
        group: &str,
        (source, image): (&Source, &Image),
    ) -> Result<Self, Failure> {
        let user_data = source.user_data(&spec.boot)?;
        let hash = digest([
            spec.region.as_str(),
            kind,
            &image.id,
            &subnet.id,
            group,
            &user_data,
        ]);
        let lease = spec.boot.lease.id.to_string();
        let token = Token(format!("banyan-{}", &digest([lease.as_str(), &hash])[..40]));
        let run = Run {
            kind: kind.clone(),
            image: image.clone(),
            subnet: subnet.id.clone(),
            zone: subnet.zone.clone(),
            group: group.to_owned(),
            user_data: Hidden(user_data),
            tags: tags::of(&spec.boot.lease, spec.install, &token),
            token,
            stops: matches!(source, Source::Builder(_)),
        };
        Ok(Self {
            run,
            hash,
            hourly: *hourly,
        })
    }

    /// Its announcement.
    pub(super) fn attempt(&self, spec: &Spec) -> Entry {
        Entry::Attempt {
            lease: spec.boot.lease,
            provider: Kind::Ec2,
            region: Some(spec.region.clone()),
            zone: self.run.zone.clone(),
            kind: self.run.kind.clone(),
            token: self.run.token.clone(),
            hash: self.hash.clone(),
            hourly: self.hourly,
            egress_gb: spec.egress_gb,
            by: spec.by,
        }
    }

    pub(super) fn processors(&self) -> u32 {
        processors(&self.run.kind)
    }

    pub(super) fn architecture(&self) -> Architecture {
        Architecture::of(&self.run.kind)
    }
}

/// How many virtual processors a type has: one for Amazon's own `medium`s, else two up to `large`.
fn processors(kind: &str) -> u32 {
    let (family, size) = kind.split_once('.').unwrap_or((kind, ""));
    let burstable = family.starts_with('t');
    match size {
        "medium" if !burstable => 1,
        "xlarge" => 4,
        "2xlarge" => 8,
        _ => 2,
    }
}

/// The parts are told apart by their lengths, so that no two lists have the same digest.
fn digest<const N: usize>(parts: [&str; N]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    HEXLOWER.encode(&sha.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
        assert_eq!(digest(["ab", "c"]), digest(["ab", "c"]));
    }

    #[test]
    fn small_machines_have_few_processors() {
        let all = ["t3.small", "c7gn.medium", "t3.medium", "c7i.xlarge"].map(processors);
        assert_eq!(all, [2, 1, 2, 4]);
    }
}
