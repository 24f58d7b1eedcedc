//! Whether the account is ready for a relay: asked by dry runs, told in words.

use super::call::{Answer, Api, Architecture, Call, Hidden, Image, Refusal, Run, Subnet};
use super::image::{Wish as ImageWish, newest};
use super::launch::group_name;
use super::refusal::Meaning;
use super::{Ec2, KINDS, PORT, tags};
use crate::failure::{Failure, Why};
use crate::ledger::Token;
use crate::region::Region;
use serde::{Deserialize, Serialize};

/// One thing that a relay needs, and whether it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// Whether it is as it should be; `None`: that shows only when the first relay is launched.
    pub good: Option<bool>,
    /// What was found, or what to do.
    pub sentence: String,
    /// What kind of failure it is, if it is one that the provider told.
    #[serde(default)]
    pub why: Option<Why>,
}

impl Finding {
    fn new(what: &str, good: Option<bool>, sentence: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            good,
            sentence: sentence.into(),
            why: None,
        }
    }

    fn refused(what: &str, failure: Failure) -> Self {
        Self {
            why: Some(failure.why),
            ..Self::new(what, Some(false), failure.sentence)
        }
    }
}

impl<A: Api + 'static> Ec2<A> {
    /// Looks at everything that a launch in `region` needs. Starts nothing, changes nothing.
    pub(crate) async fn check(&self, region: &Region, wish: &ImageWish) -> Vec<Finding> {
        let mut findings = Vec::new();
        let subnets = match self.insist(region, &Call::Subnets { chosen: None }).await {
            Ok(Answer::Subnets(subnets)) => subnets,
            Ok(_) => Vec::new(),
            Err(refusal) => {
                let good = is_not_about_sign_in(&refusal).then_some(true);
                let what = if good.is_some() { "policy" } else { "sign-in" };
                findings.push(Finding::refused(what, refusal.failure("DescribeSubnets", region)));
                return findings;
            }
        };
        findings.push(Finding::new(
            "sign-in",
            Some(true),
            format!("AWS knows it in {region}"),
        ));
        findings.push(network(region, &subnets));
        let (image, finding) = self.find_image(region, wish).await;
        findings.push(finding);
        if let (Some(subnet), Some(image)) = (subnets.first(), image) {
            findings.extend(self.dry_runs(region, subnet, image).await);
        }
        findings
    }

    async fn find_image(&self, region: &Region, wish: &ImageWish) -> (Option<Image>, Finding) {
        for source in wish.sources(Architecture::X86) {
            let (owner, name) = source.query(Architecture::X86);
            let architecture = Architecture::X86;
            let found = self
                .insist(
                    region,
                    &Call::Images {
                        owner,
                        name,
                        architecture,
                    },
                )
                .await;
            match found {
                Ok(Answer::Images(images)) => {
                    if let Some(image) = newest(images) {
                        let words = format!("{} ({})", image.name, image.id);
                        return (Some(image), Finding::new("image", Some(true), words));
                    }
                }
                Ok(_) => {}
                Err(refusal) => {
                    let failure = refusal.failure("DescribeImages", region);
                    return (None, Finding::refused("image", failure));
                }
            }
        }
        let words = format!(
            "there is no relay image in {region}; name one, or a released relay, under [cloud] in the config file"
        );
        (None, Finding::new("image", Some(false), words))
    }

    /// Whether a machine could be started, and what it needs made.
    async fn dry_runs(&self, region: &Region, subnet: &Subnet, image: Image) -> Vec<Finding> {
        let groups = Call::Groups {
            network: subnet.network.clone(),
            name: group_name(PORT),
        };
        let group = match self.insist(region, &groups).await {
            Ok(Answer::Groups(groups)) => groups.into_iter().next(),
            Ok(_) => None,
            Err(refusal) => return vec![verdict("security group", groups.action(), region, Err(refusal))],
        };
        let Some(group) = group else {
            let make = Call::MakeGroup {
                network: subnet.network.clone(),
                name: group_name(PORT),
                tags: tags::lasting(),
                dry: true,
            };
            let made = self.insist(region, &make).await;
            let later =
                "whether a machine may be started shows when the first relay has made its security group";
            return vec![
                verdict("security group", make.action(), region, made),
                Finding::new("machine", None, later),
            ];
        };
        let run = Call::Run {
            run: Box::new(sample(subnet, &group.id, image)),
            dry: true,
        };
        let run_finding = verdict("machine", run.action(), region, self.insist(region, &run).await);
        vec![
            Finding::new("security group", Some(true), format!("{} is there", group.id)),
            run_finding,
        ]
    }
}

fn network(region: &Region, subnets: &[Subnet]) -> Finding {
    match subnets.len() {
        0 => Finding::new(
            "network",
            Some(false),
            format!(
                "there is no default network in {region}; make one with “aws ec2 create-default-vpc --region {region}”"
            ),
        ),
        count => Finding::new("network", Some(true), format!("default network in {count} zones")),
    }
}

/// A machine like a relay's, that is never started.
fn sample(subnet: &Subnet, group: &str, image: Image) -> Run {
    Run {
        kind: KINDS[0].into(),
        image,
        subnet: subnet.id.clone(),
        zone: subnet.zone.clone(),
        group: group.to_owned(),
        user_data: Hidden(String::new()),
        tags: tags::lasting(),
        token: Token("banyan-check".into()),
        stops: false,
    }
}

fn verdict(what: &str, action: &str, region: &Region, answer: Result<Answer, Refusal>) -> Finding {
    match answer {
        Ok(_) => Finding::new(what, Some(true), format!("ec2:{action} is allowed")),
        Err(refusal) if refusal.meaning() == Meaning::Allowed => {
            Finding::new(what, Some(true), format!("ec2:{action} is allowed"))
        }
        Err(refusal) => Finding::refused(what, refusal.failure(action, region)),
    }
}

fn is_not_about_sign_in(refusal: &Refusal) -> bool {
    !matches!(
        refusal.meaning(),
        Meaning::Final(Why::NoCredentials | Why::Expired | Why::WrongCredentials | Why::Clock)
            | Meaning::Unknown
    )
}
