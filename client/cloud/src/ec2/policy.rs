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
            run_new(scope),
            run_in(scope),
            tag_new(scope),
            network(scope),
            open_network(scope),
            end(scope),
            extend(scope),
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

fn run_new(scope: &Scope) -> Value {
    let condition = json!({
        "StringEquals": {tagged("RequestTag"): tags::APP_RELAY},
        "StringEqualsIfExists": {"ec2:InstanceType": scope.kinds, "ec2:MetadataHttpTokens": "required"},
    });
    let new = ["instance/*", "volume/*", "network-interface/*"].map(|what| arn(scope, what));
    statement("StartTagged", &["RunInstances"], json!(new), Some(condition))
}

fn run_in(scope: &Scope) -> Value {
    let region = scope.region.as_ref().map_or("*", Region::as_str);
    let places = [
        format!("arn:aws:ec2:{region}::image/*"),
        format!("arn:aws:ec2:{region}::snapshot/*"),
        arn(scope, "subnet/*"),
        arn(scope, "security-group/*"),
    ];
    let condition = json!({
        "StringEqualsIfExists": {"aws:RequestedRegion": scope.region.as_ref().map_or("*", Region::as_str)},
    });
    let condition = scope.region.is_some().then_some(condition);
    statement("StartIn", &["RunInstances"], json!(places), condition)
}

fn tag_new(scope: &Scope) -> Value {
    let condition = json!({"StringEquals": {"ec2:CreateAction": ["RunInstances", "CreateSecurityGroup"]}});
    let new = [
        "instance/*",
        "volume/*",
        "network-interface/*",
        "security-group/*",
    ]
    .map(|what| arn(scope, what));
    statement("TagWhatIsMade", &["CreateTags"], json!(new), Some(condition))
}

fn network(scope: &Scope) -> Value {
    statement(
        "MakeSecurityGroup",
        &["CreateSecurityGroup"],
        json!([arn(scope, "security-group/*"), arn(scope, "vpc/*")]),
        None,
    )
}

fn open_network(scope: &Scope) -> Value {
    statement(
        "OpenThePort",
        &["AuthorizeSecurityGroupIngress"],
        json!([arn(scope, "security-group/*")]),
        Some(json!({"StringEquals": {tagged("ResourceTag"): tags::APP_RELAY}})),
    )
}

fn end(scope: &Scope) -> Value {
    statement(
        "End",
        &["TerminateInstances"],
        json!([arn(scope, "instance/*")]),
        Some(json!({"StringEquals": {tagged("ResourceTag"): tags::APP_RELAY}})),
    )
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
                "ec2:CreateSecurityGroup",
                "ec2:CreateTags",
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
            let harmless = ["Look", "StartIn", "MakeSecurityGroup"].contains(&sid);
            assert!(bound || harmless, "{sid}");
            assert!(sid == "Look" || statement["Resource"] != json!("*"), "{sid}");
        }
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
