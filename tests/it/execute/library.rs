//! The engine as a library: the doors that a rehearsal plugs in.

use std::time::Duration;

use cutover::execute::{
    Clock, Doors, Event, ExecuteError, Future, Moment, Observer, Options, Outcome, execute, resume,
};
use cutover::postgres::Session;
use cutover::traffic::Simulated;

use super::support::{Shop, async_client};

/// Time that passes at once.
struct NoTime;

impl Clock for NoTime {
    fn sleep(&self, _: Duration) -> Future<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Notes every moment with the columns of `users` there, and refuses one.
struct Notes {
    seen: Vec<String>,
    refuse: &'static str,
}

impl Observer for Notes {
    fn look<'a>(&'a mut self, moment: Moment<'a>, client: &'a Session) -> Future<'a, Result<(), String>> {
        Box::pin(async move {
            let columns = client.prepare("SELECT * FROM users").await.map_err(|e| e.to_string())?.columns().len();
            let name = match moment {
                Moment::Preflighted => "preflighted".to_owned(),
                Moment::AfterStep(step) => format!("step {}", step.id),
                Moment::AfterPhase(phase) => format!("{phase:?}"),
                Moment::Shifted(share) => share.to_string(),
                other => panic!("{other:?}"),
            };
            let refused = name == self.refuse;
            self.seen.push(format!("{name}: {columns}"));
            if refused { Err("blue broke".into()) } else { Ok(()) }
        })
    }
}

#[test]
fn an_observer_looks_over_the_same_connection_between_the_steps() {
    let shop = Shop::new();
    let plan = shop.plan();
    let mut notes = Notes { seen: Vec::new(), refuse: "step 3" };
    let mut events = Vec::new();
    let (failed, outcome) = async_client(&shop, async |mut client| {
        let traffic = Simulated::default();
        let mut note = |event: &Event| events.push(event.clone());
        let mut doors = Doors::new(&traffic, &mut note);
        doors.observer = Some(&mut notes);
        doors.clock = &NoTime;
        let options = Options::default();
        let failed = execute(&mut client, &plan, &options, &mut doors).await.unwrap_err();
        let outcome = resume(&mut client, None, &options, &mut doors).await.unwrap();
        (failed, outcome)
    });
    assert!(matches!(failed, ExecuteError::Observed(why) if why == "blue broke"));
    assert!(matches!(outcome, Outcome::Done { already: false, .. }));
    let expected = [
        "preflighted: 3",
        "step 1: 4",
        "step 2: 4",
        "step 3: 5",
        "Before: 5",
        "100 %: 5",
        "step 4: 4",
        "step 5: 4",
        "After: 4",
    ];
    assert_eq!(notes.seen, expected);
    let running = events.iter().filter(|event| matches!(event, Event::StepRunning { .. })).count();
    assert_eq!(running, 5);
}
