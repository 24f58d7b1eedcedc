//! The child is killed at every step of a launch: never two machines, and a sweep ends all.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use banyan_cloud::child::Cloud;
use banyan_cloud::ledger::Ledger;
use banyan_cloud::provider::Order;
use cloud_rig::Rig;

/// The requests of a launch in an account that had one before.
async fn requests(rig: &Rig) -> usize {
    one_launch(rig).await;
    one_launch(rig).await
}

async fn one_launch(rig: &Rig) -> usize {
    let cloud = rig.cloud(false).unwrap();
    let order = rig.order(&cloud).await.unwrap();
    let before = rig.proxy.seen().len();
    let machine = cloud.launch(order, None).await.unwrap();
    let requests = rig.proxy.seen().len() - before;
    let found = rig.alive(&cloud).await.unwrap();
    assert_eq!(found[0].found.handle, machine.handle);
    end_all(rig, &cloud).await;
    cloud.close().await;
    requests
}

async fn end_all(rig: &Rig, cloud: &Cloud) {
    use banyan_cloud::child::message::Target;
    for relay in rig.alive(cloud).await.unwrap() {
        cloud
            .terminate(Target::Machine(Box::new(relay.found)), "the test goes on")
            .await
            .unwrap();
    }
}

fn open(rig: &Rig, order: &Order) -> bool {
    let book = Ledger::open(&rig.data).unwrap().book().unwrap();
    book.account(order.boot.lease.id)
        .is_some_and(|account| account.open().is_some())
}

#[tokio::test]
async fn killed_at_any_request_a_new_child_goes_on_and_one_machine_lives() {
    let rig = Rig::start("goes-on").await.unwrap();
    let steps = requests(&rig).await;
    assert!(steps >= 6, "{steps}");
    for done in [false, true] {
        for step in 0..steps {
            let cloud = rig.cloud(false).unwrap();
            let order = rig.order(&cloud).await.unwrap();
            rig.proxy.stop_at(step, done);
            let (launched, ()) = tokio::join!(cloud.launch(order.clone(), None), async {
                rig.proxy.stopped().await;
                assert_eq!(rig.kill_children().await.unwrap(), 1);
                rig.proxy.go_on();
            });
            let machine =
                launched.unwrap_or_else(|failure| panic!("killed at {step}, done {done}: {failure}"));
            let alive = rig.alive(&cloud).await.unwrap();
            let handles: Vec<&str> = alive.iter().map(|relay| relay.found.handle.as_str()).collect();
            assert_eq!(
                handles,
                [machine.handle.as_str()],
                "killed at {step}, done {done}"
            );
            end_all(&rig, &cloud).await;
            cloud.close().await;
        }
    }
}

#[tokio::test]
async fn killed_with_its_session_a_sweep_ends_what_is_left() {
    let rig = Rig::start("sweeps").await.unwrap();
    let steps = requests(&rig).await;
    for done in [false, true] {
        for step in 0..steps {
            let cloud = rig.cloud(false).unwrap();
            let order = rig.order(&cloud).await.unwrap();
            let at = rig.proxy.seen().len() + step;
            rig.proxy.stop_at(step, done);
            {
                let launch = cloud.launch(order.clone(), None);
                tokio::pin!(launch);
                tokio::select! {
                    launched = &mut launch => panic!("{launched:?}"),
                    () = rig.proxy.stopped() => {}
                }
            }
            // The session is gone, so nobody asks the next child to go on.
            rig.kill_children().await.unwrap();
            cloud.close().await;
            rig.proxy.go_on();
            let after = rig.cloud(false).unwrap();
            assert!(
                rig.alive(&after).await.unwrap().len() <= 1,
                "killed at {step}, done {done}"
            );
            rig.sweep(&after).await.unwrap();
            assert!(
                rig.alive(&after).await.unwrap().is_empty(),
                "killed at {step}, done {done}"
            );
            // What was announced and never arrived stays open until it is too old to make anything.
            let lost = rig.proxy.seen()[at].action == "RunInstances" && !done;
            assert_eq!(open(&rig, &order), lost, "killed at {step}, done {done}");
            after.close().await;
        }
    }
}
