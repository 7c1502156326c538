//! Two groups and what sends them traffic, as they are, and the next thing to do on the way from one group to the other.

use crate::side::Side;
use crate::traffic::{Health, Share};

/// What sends traffic to groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A target group, by its ARN.
    TargetGroup(String),
    /// A Classic Load Balancer, by its name.
    LoadBalancer(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TargetGroup(arn) => f.write_str(arn.rsplit(':').next().unwrap_or(arn)),
            Self::LoadBalancer(name) => write!(f, "load balancer {name}"),
        }
    }
}

/// What a source is to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bond {
    /// Nothing.
    None,
    /// Its instances are being registered.
    Joining,
    /// Its instances are registered.
    Joined,
    /// Its instances are being deregistered: they answer what they have begun to.
    Leaving,
}

impl Bond {
    /// As `DescribeLoadBalancerTargetGroups` and `DescribeLoadBalancers` say it.
    pub(super) fn of(state: &str) -> Self {
        match state {
            "Added" | "InService" => Self::Joined,
            "Removing" => Self::Leaving,
            "Removed" => Self::None,
            // `Adding`, and whatever comes to be said between nothing and everything.
            _ => Self::Joining,
        }
    }

    fn is_attached(self) -> bool {
        matches!(self, Self::Joining | Self::Joined)
    }
}

/// A group as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupSeen {
    pub(super) name: String,
    /// How many instances it is to have.
    pub(super) wanted: usize,
    /// Its instances, by their ids, and whether each is in service as the group has it.
    pub(super) instances: Vec<(String, bool)>,
    /// What each source is to it, in their order.
    pub(super) bonds: Vec<Bond>,
}

impl GroupSeen {
    fn has(&self, target: &Target) -> bool {
        self.instances.iter().any(|(id, _)| *id == target.id)
    }

    fn is_attached(&self) -> bool {
        self.bonds.iter().any(|bond| bond.is_attached())
    }
}

/// How an instance does behind a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Healthy,
    Unhealthy,
    /// It is taken away, and answers what it has begun to.
    Draining,
    /// Nobody knows yet.
    Unknown,
}

/// An instance behind a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) id: String,
    pub(super) state: State,
    /// What the source says of it.
    pub(super) said: String,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) blue: GroupSeen,
    pub(super) green: GroupSeen,
    /// What sends traffic, and to which instances.
    pub(super) sources: Vec<(Source, Vec<Target>)>,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Attach the group to these.
    Attach(Vec<Source>),
    /// Wait, for this.
    Wait(String),
    /// Detach the other group from these.
    Detach(Vec<Source>),
    /// Nothing.
    Done,
}

impl Seen {
    pub(super) fn group(&self, side: Side) -> &GroupSeen {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }

    /// Green's share. None while both groups are attached, or one of them to some sources only, or none.
    pub(super) fn share(&self) -> Option<Share> {
        let is_all = |group: &GroupSeen| group.bonds.iter().all(|bond| bond.is_attached());
        match (self.blue.is_attached(), self.green.is_attached()) {
            (true, false) if is_all(&self.blue) => Some(Share::NONE),
            (false, true) if is_all(&self.green) => Some(Share::ALL),
            _ => None,
        }
    }

    /// Why there is no share, for people.
    pub(super) fn why_no_share(&self) -> String {
        let sources = |group: &GroupSeen| {
            let attached = self.sources.iter().zip(&group.bonds).filter(|(_, bond)| bond.is_attached());
            let names: Vec<String> = attached.map(|((source, _), _)| source.to_string()).collect();
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        };
        let (blue, green) = (&self.blue, &self.green);
        format!(
            "group {} is attached to {}, and group {} to {}; attach one of them to all that the settings name and detach the other",
            blue.name,
            sources(blue),
            green.name,
            sources(green)
        )
    }

    /// Whether a side's group is attached to a source.
    pub(super) fn is_attached(&self, side: Side, source: &Source) -> bool {
        self.sources_where(self.group(side), Bond::is_attached).contains(source)
    }

    /// The sources whose bond with a group is such a one.
    fn sources_where(&self, group: &GroupSeen, is: impl Fn(Bond) -> bool) -> Vec<Source> {
        self.sources
            .iter()
            .zip(&group.bonds)
            .filter(|(_, bond)| is(**bond))
            .map(|((source, _), _)| source.clone())
            .collect()
    }

    /// What a group does not do yet, if it is attached everywhere.
    fn waits_for(&self, group: &GroupSeen) -> Option<String> {
        let wanted = group.wanted.max(1);
        self.sources.iter().zip(&group.bonds).find_map(|((source, targets), bond)| {
            let healthy = targets.iter().filter(|target| target.state == State::Healthy && group.has(target)).count();
            let name = &group.name;
            match bond {
                Bond::Joined if healthy >= wanted => None,
                Bond::Joined => {
                    Some(format!("{healthy} of {wanted} instances of group {name} are healthy in {source}"))
                }
                _ => Some(format!("group {name} is being attached to {source}")),
            }
        })
    }

    /// What is to be done next on the way to all traffic for a side: it serves before the other one leaves.
    pub(super) fn next(&self, to: Side) -> Next {
        let (group, other) = (self.group(to), self.group(to.other()));
        let missing = self.sources_where(group, |bond| !bond.is_attached());
        if !missing.is_empty() {
            return Next::Attach(missing);
        }
        let there = self.sources_where(other, Bond::is_attached);
        if there.is_empty() {
            return Next::Done;
        }
        self.waits_for(group).map_or(Next::Detach(there), Next::Wait)
    }

    /// Instances of neither group that get traffic all the same.
    pub(super) fn strangers(&self) -> Vec<String> {
        let is_strange =
            |target: &&Target| target.state != State::Draining && !self.blue.has(target) && !self.green.has(target);
        let of = |(source, targets): &(Source, Vec<Target>)| {
            targets.iter().filter(is_strange).map(|target| format!("{} in {source}", target.id)).collect::<Vec<_>>()
        };
        self.sources.iter().flat_map(of).collect()
    }

    /// How many instances of a side are still behind some source.
    pub(super) fn left(&self, side: Side) -> usize {
        let group = self.group(side);
        self.sources.iter().map(|(_, targets)| targets.iter().filter(|target| group.has(target)).count()).sum()
    }

    /// Whether a side is attached to nothing, and none of its instances answers what it has begun to.
    pub(super) fn is_gone(&self, side: Side) -> bool {
        self.group(side).bonds.iter().all(|bond| *bond == Bond::None) && self.left(side) == 0
    }

    /// How a side does: by its targets where it is attached, and otherwise by its instances.
    pub(super) fn health(&self, side: Side) -> Health {
        let group = self.group(side);
        if !group.instances.iter().any(|(_, in_service)| *in_service) {
            return Health::Unhealthy { why: format!("group {} has no instance in service", group.name) };
        }
        if !group.is_attached() {
            return Health::Unknown;
        }
        let own =
            |targets: &'_ [Target]| targets.iter().filter(|target| group.has(target)).cloned().collect::<Vec<_>>();
        let each: Vec<Vec<Target>> = self.sources.iter().map(|(_, targets)| own(targets)).collect();
        let is = |targets: &Vec<Target>, state: State| targets.iter().any(|target| target.state == state);
        if each.iter().all(|targets| is(targets, State::Healthy)) {
            return Health::Healthy;
        }
        let bad = each.iter().find(|targets| !is(targets, State::Healthy) && is(targets, State::Unhealthy));
        bad.map_or(Health::Unknown, |targets| Health::Unhealthy {
            why: targets
                .iter()
                .map(|target| format!("{} is {}", target.id, target.said))
                .collect::<Vec<_>>()
                .join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sources; the bonds of both groups by letters (`-` none, `+` joining, `=` joined, `~` leaving), and the states of blue's, green's and a strange
    /// target in each (`h`, `u`, `d`, `?`, `-` where there is none).
    fn seen(blue: &str, green: &str, targets: [&str; 2]) -> Seen {
        let bonds = |text: &str| {
            let one = |letter| match letter {
                '+' => Bond::Joining,
                '=' => Bond::Joined,
                '~' => Bond::Leaving,
                _ => Bond::None,
            };
            text.chars().map(one).collect()
        };
        let group = |name: &str, text: &str| GroupSeen {
            name: name.to_owned(),
            wanted: 1,
            instances: vec![(format!("i-{name}"), true)],
            bonds: bonds(text),
        };
        let state = |letter| match letter {
            'h' => Some(State::Healthy),
            'u' => Some(State::Unhealthy),
            'd' => Some(State::Draining),
            '?' => Some(State::Unknown),
            _ => None,
        };
        let of = |text: &str| {
            let named = ["i-blue", "i-green", "i-other"].into_iter().zip(text.chars());
            let target = |(id, letter): (&str, char)| {
                Some(Target { id: id.to_owned(), state: state(letter)?, said: "so".to_owned() })
            };
            named.filter_map(target).collect()
        };
        Seen {
            blue: group("blue", blue),
            green: group("green", green),
            sources: vec![
                (Source::TargetGroup("arn:aws:x:y:z:targetgroup/front".to_owned()), of(targets[0])),
                (Source::LoadBalancer("edge".to_owned()), of(targets[1])),
            ],
        }
    }

    #[test]
    fn a_side_serves_before_the_other_one_leaves() {
        let check = |blue: &str, green: &str, targets: [&str; 2], to: Side, expected: &str| {
            let next = match seen(blue, green, targets).next(to) {
                Next::Attach(sources) => format!("attach {}", sources.len()),
                Next::Wait(why) => why,
                Next::Detach(sources) => format!("detach {}", sources.len()),
                Next::Done => "done".to_owned(),
            };
            assert_eq!(next, expected, "{blue} {green} {targets:?} {to}");
        };
        check("==", "--", ["h-", "h-"], Side::Green, "attach 2");
        check("==", "~-", ["hd", "h-"], Side::Green, "attach 2");
        check("==", "=-", ["hh", "h-"], Side::Green, "attach 1");
        check("==", "+=", ["h?", "hh"], Side::Green, "group green is being attached to targetgroup/front");
        check(
            "==",
            "==",
            ["h?", "hh"],
            Side::Green,
            "0 of 1 instances of group green are healthy in targetgroup/front",
        );
        check(
            "==",
            "==",
            ["hh", "hu"],
            Side::Green,
            "0 of 1 instances of group green are healthy in load balancer edge",
        );
        check("==", "==", ["hh", "hh"], Side::Green, "detach 2");
        check("-=", "==", ["-h", "hh"], Side::Green, "detach 1");
        check("~~", "==", ["dh", "dh"], Side::Green, "done");
        check("--", "==", ["-h", "-h"], Side::Green, "done");
        check("--", "==", ["-h", "-h"], Side::Blue, "attach 2");
        check("==", "==", ["hh", "hh"], Side::Blue, "detach 2");
        check("--", "--", ["--", "--"], Side::Blue, "attach 2");
        check("==", "--", ["h-", "h-"], Side::Blue, "done");
    }

    #[test]
    fn a_group_that_is_to_have_more_is_waited_for() {
        let mut seen = seen("==", "==", ["hh", "hh"]);
        seen.green.wanted = 2;
        let why = "1 of 2 instances of group green are healthy in targetgroup/front";
        assert_eq!(seen.next(Side::Green), Next::Wait(why.to_owned()));
    }

    #[test]
    fn only_one_group_everywhere_is_a_share() {
        let check = |blue: &str, green: &str, expected: Option<Share>| {
            assert_eq!(seen(blue, green, ["hh", "hh"]).share(), expected, "{blue} {green}");
        };
        check("==", "--", Some(Share::NONE));
        check("==", "~~", Some(Share::NONE));
        check("+=", "--", Some(Share::NONE));
        check("--", "==", Some(Share::ALL));
        check("~~", "==", Some(Share::ALL));
        check("==", "=-", None);
        check("==", "==", None);
        check("=-", "-=", None);
        check("=-", "--", None);
        check("--", "--", None);
    }

    #[test]
    fn a_side_is_gone_when_nothing_of_it_is_left() {
        let check = |blue: &str, targets: [&str; 2], expected: bool| {
            assert_eq!(seen(blue, "==", targets).is_gone(Side::Blue), expected, "{blue} {targets:?}");
        };
        check("--", ["-h", "-h"], true);
        check("~-", ["-h", "-h"], false);
        check("--", ["dh", "-h"], false);
        check("==", ["hh", "hh"], false);
    }

    #[test]
    fn health_is_that_of_the_targets() {
        let check = |green: &str, targets: [&str; 2], expected: &Health| {
            assert_eq!(seen("==", green, targets).health(Side::Green), *expected, "{green} {targets:?}");
        };
        let bad = &Health::Unhealthy { why: "i-green is so".to_owned() };
        check("--", ["h-", "h-"], &Health::Unknown);
        check("==", ["hh", "hh"], &Health::Healthy);
        check("==", ["h?", "hh"], &Health::Unknown);
        check("==", ["hh", "hu"], bad);
        let mut none = seen("==", "==", ["hh", "hh"]);
        none.green.instances[0].1 = false;
        assert_eq!(
            none.health(Side::Green),
            Health::Unhealthy { why: "group green has no instance in service".to_owned() }
        );
    }

    #[test]
    fn instances_of_neither_group_are_strangers() {
        assert_eq!(seen("==", "--", ["h-h", "h--"]).strangers(), ["i-other in targetgroup/front"]);
        assert_eq!(seen("==", "--", ["h-d", "h--"]).strangers(), Vec::<String>::new());
    }
}
