//! The least that a relay needs of an account, as a policy to attach.

use super::tags;
use crate::region::Region;
use serde_json::{Value, json};

/// What a policy covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The one region it is for; `None`: every region.
    pub region: Option<Region>,
    /// The machine types it allows.
    pub kinds: Vec<String>,
}

/// The policy, as JSON to paste into the AWS console. Deliberately absent: roles for machines, key pairs, changing
/// machines, lasting addresses, and everything else.
pub fn policy(scope: &Scope) -> String {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            look(scope),
            start_machine(scope),
            start_its_parts(scope),
            start_from(scope),
            start_behind(scope),
            tag_new(scope),
            make_group(scope),
            make_group_in(scope),
            open_port(scope),
            end(scope),
            extend(scope),
            make_image(scope),
            make_image_as(scope),
            drop_image(scope),
        ],
    });
    serde_json::to_string_pretty(&policy).expect("a policy is plain JSON")
}

fn arn(scope: &Scope, what: &str) -> String {
    let region = scope.region.as_ref().map_or("*", Region::as_str);
    format!("arn:aws:ec2:{region}:*:{what}")
}

fn statement(sid: &str, actions: &[&str], resources: Value, condition: Option<Value>) -> Value {
    let actions: Vec<String> = actions.iter().map(|action| format!("ec2:{action}")).collect();
    let mut statement = json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources});
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    statement
}

/// That something carries our tag already, or gets it in this very request.
fn tagged(which: &str) -> String {
    format!("aws:{which}/{}", tags::APP)
}

/// Looking knows no finer rights.
fn look(scope: &Scope) -> Value {
    let condition = scope
        .region
        .as_ref()
        .map(|region| json!({"StringEquals": {"aws:RequestedRegion": region.as_str()}}));
    let actions = [
        "DescribeImages",
        "DescribeInstances",
        "DescribeSecurityGroups",
        "DescribeSubnets",
    ];
    statement("Look", &actions, json!("*"), condition)
}

/// In the request itself: our tag.
fn made_as_ours() -> Value {
    json!({tagged("RequestTag"): tags::APP_RELAY})
}

/// Already there: our tag.
fn ours() -> Value {
    json!({"StringEquals": {tagged("ResourceTag"): tags::APP_RELAY}})
}

fn start_machine(scope: &Scope) -> Value {
    let mut equal = made_as_ours();
    equal["ec2:InstanceType"] = json!(scope.kinds);
    equal["ec2:MetadataHttpTokens"] = json!("required");
    statement(
        "StartMachine",
        &["RunInstances"],
        json!([arn(scope, "instance/*")]),
        Some(json!({"StringEquals": equal})),
    )
}

fn start_its_parts(scope: &Scope) -> Value {
    statement(
        "StartItsParts",
        &["RunInstances"],
        json!(["volume/*", "network-interface/*"].map(|what| arn(scope, what))),
        Some(json!({"StringEquals": made_as_ours()})),
    )
}

/// Images and snapshots belong to whoever publishes them, subnets to the account: they have no tag of ours.
fn start_from(scope: &Scope) -> Value {
    let [image, snapshot] = images(scope);
    let places = [image, snapshot, arn(scope, "subnet/*")];
    statement("StartFrom", &["RunInstances"], json!(places), None)
}

fn start_behind(scope: &Scope) -> Value {
    let group = json!([arn(scope, "security-group/*")]);
    statement("StartBehind", &["RunInstances"], group, Some(ours()))
}

fn tag_new(scope: &Scope) -> Value {
    let condition =
        json!({"StringEquals": {"ec2:CreateAction": ["RunInstances", "CreateSecurityGroup", "CreateImage"]}});
    let new = [
        "instance/*",
        "volume/*",
        "network-interface/*",
        "security-group/*",
    ]
    .map(|what| arn(scope, what));
    let new = [&new[..], &images(scope)].concat();
    statement("TagWhatIsMade", &["CreateTags"], json!(new), Some(condition))
}

fn make_group(scope: &Scope) -> Value {
    statement(
        "MakeSecurityGroup",
        &["CreateSecurityGroup"],
        json!([arn(scope, "security-group/*")]),
        Some(json!({"StringEquals": made_as_ours()})),
    )
}

fn make_group_in(scope: &Scope) -> Value {
    let networks = json!([arn(scope, "vpc/*")]);
    statement("MakeSecurityGroupIn", &["CreateSecurityGroup"], networks, None)
}

fn open_port(scope: &Scope) -> Value {
    let group = json!([arn(scope, "security-group/*")]);
    statement(
        "OpenThePort",
        &["AuthorizeSecurityGroupIngress"],
        group,
        Some(ours()),
    )
}

fn end(scope: &Scope) -> Value {
    let machines = json!([arn(scope, "instance/*")]);
    statement("End", &["TerminateInstances"], machines, Some(ours()))
}

/// Of our machine only.
fn make_image(scope: &Scope) -> Value {
    statement(
        "ImageOurs",
        &["CreateImage"],
        json!([arn(scope, "instance/*")]),
        Some(ours()),
    )
}

fn make_image_as(scope: &Scope) -> Value {
    statement(
        "MakeImage",
        &["CreateImage"],
        json!(images(scope)),
        Some(json!({"StringEquals": made_as_ours()})),
    )
}

fn drop_image(scope: &Scope) -> Value {
    let actions = ["DeregisterImage", "DeleteSnapshot"];
    statement("DropImage", &actions, json!(images(scope)), Some(ours()))
}

/// Images and snapshots have no account in their names.
fn images(scope: &Scope) -> [String; 2] {
    let region = scope.region.as_ref().map_or("*", Region::as_str);
    ["image/*", "snapshot/*"].map(|what| format!("arn:aws:ec2:{region}::{what}"))
}

fn extend(scope: &Scope) -> Value {
    statement(
        "MarkTheLease",
        &["CreateTags"],
        json!([arn(scope, "instance/*")]),
        Some(json!({
            "StringEquals": {tagged("ResourceTag"): tags::APP_RELAY},
            "ForAllValues:StringEquals": {"aws:TagKeys": [tags::ENDS]},
        })),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::call::{Call, Tags};

    fn scope() -> Scope {
        Scope {
            region: Some("eu-central-1".parse().unwrap()),
            kinds: vec!["t3.small".into()],
        }
    }

    fn statements() -> Vec<Value> {
        let policy: Value = serde_json::from_str(&policy(&scope())).unwrap();
        policy["Statement"].as_array().unwrap().clone()
    }

    #[test]
    fn every_action_that_is_used_is_allowed_and_no_other() {
        let text = policy(&scope());
        let name = String::new;
        let calls = [
            Call::Subnets { chosen: None },
            Call::Groups {
                network: name(),
                name: name(),
            },
            Call::MakeGroup {
                network: name(),
                name: name(),
                tags: Tags::new(),
                dry: false,
            },
            Call::OpenGroup {
                group: name(),
                port: 1,
            },
            Call::Look { handle: name() },
            Call::End {
                handle: name(),
                dry: false,
            },
            Call::Mark {
                handle: name(),
                ends: banyan_protocol::time::Utc::from_secs(0),
                dry: false,
            },
            Call::MakeImage {
                handle: name(),
                name: name(),
                tags: Tags::new(),
            },
            Call::DropImage { image: name() },
            Call::DropSnapshot { snapshot: name() },
        ];
        for call in &calls {
            assert!(text.contains(&format!("\"ec2:{}\"", call.action())), "{call:?}");
        }
        let mut actions: Vec<String> = statements()
            .iter()
            .flat_map(|statement| statement["Action"].as_array().unwrap().clone())
            .map(|action| action.as_str().unwrap().to_owned())
            .collect();
        actions.sort();
        actions.dedup();
        assert_eq!(
            actions,
            [
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:CreateImage",
                "ec2:CreateSecurityGroup",
                "ec2:CreateTags",
                "ec2:DeleteSnapshot",
                "ec2:DeregisterImage",
                "ec2:DescribeImages",
                "ec2:DescribeInstances",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:RunInstances",
                "ec2:TerminateInstances",
            ]
        );
    }

    #[test]
    fn what_changes_something_is_bound_to_our_tag_or_to_making() {
        for statement in statements() {
            let sid = statement["Sid"].as_str().unwrap();
            let condition = statement["Condition"].to_string();
            let bound = condition.contains("banyan:app") || condition.contains("ec2:CreateAction");
            let harmless = ["Look", "StartFrom", "MakeSecurityGroupIn"].contains(&sid);
            assert!(bound || harmless, "{sid}");
            assert!(sid == "Look" || statement["Resource"] != json!("*"), "{sid}");
        }
    }

    #[test]
    fn a_machine_is_started_only_as_ours_are() {
        let of = |sid: &str| {
            statements()
                .into_iter()
                .find(|statement| statement["Sid"] == sid)
                .unwrap()
        };
        let machine = &of("StartMachine")["Condition"]["StringEquals"];
        assert_eq!(machine["aws:RequestTag/banyan:app"], "relay");
        assert_eq!(machine["ec2:InstanceType"], json!(["t3.small"]));
        // Equal, not equal if it is there: a request that says nothing would get the old metadata service.
        assert_eq!(machine["ec2:MetadataHttpTokens"], "required");
        let behind = &of("StartBehind")["Condition"]["StringEquals"];
        assert_eq!(behind["aws:ResourceTag/banyan:app"], "relay");
        let places = of("StartFrom")["Resource"].to_string();
        assert!(!places.contains("security-group") && !places.contains("instance/"));
    }

    #[test]
    fn it_fits_where_a_policy_is_pasted() {
        let letters = policy(&scope())
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .count();
        assert!(letters <= 6_144, "IAM takes no longer managed policy: {letters}");
    }

    #[test]
    fn without_a_region_it_holds_in_all() {
        let everywhere = policy(&Scope {
            region: None,
            ..scope()
        });
        assert!(everywhere.contains("arn:aws:ec2:*:*:instance/*") && !everywhere.contains("RequestedRegion"));
        assert!(policy(&scope()).contains("arn:aws:ec2:eu-central-1:*:instance/*"));
    }
}
