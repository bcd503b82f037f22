//! Reconcile: for each pair with something new, the judge settles field by field. The result is the plan, in the ledger
//! before anything is sent.

use super::definition::{MappingId, ObjectMapping};
use super::error::SyncError;
use super::exchange::{Action, features};
use super::intake::{Purpose, held};
use super::ledger::{Change, ChangeStatus, ChangedField, Conflict, TodoFilter};
use super::limits;
use super::links::Links;
use super::pair::{Agreed, Pair, PairId, Seen, Side, Status};
use super::session::Session;
use crate::judge::{Current, Decision, settle, settle_new};
use crate::record::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What was decided about a batch of pairs.
#[derive(Default)]
struct Plan {
    changes: Vec<Change>,
    conflicts: Vec<Conflict>,
}

impl Session<'_> {
    /// Decides. In the first pass about everything that is to be done, in later ones about what came up since.
    pub(super) async fn reconcile(&mut self, first: bool) -> Result<(), SyncError> {
        let definition = self.definition;
        let order = self.parents_first();
        if first {
            let run = self.run.id;
            for &place in &order {
                let mapping = &definition.mappings[place];
                let filter = TodoFilter {
                    mapping: mapping.id,
                    read_in: (!self.run.options.follows_bookmarks()).then_some(run),
                    read_on_both: self.broken.is_some().then_some(run),
                };
                let mut after: PairId = 0;
                loop {
                    self.check_stop()?;
                    let pairs = self.engine.ledger.todo(&filter, after, limits::RECONCILE_PAIRS).await?;
                    let Some(last) = pairs.last() else { break };
                    after = last.id;
                    self.reconcile_pairs(mapping, pairs).await?;
                }
            }
        }
        for _ in 0..limits::PARENT_DEPTH {
            let mut fresh = std::mem::take(&mut self.fresh);
            if fresh.is_empty() {
                break;
            }
            for &place in &order {
                let mapping = &definition.mappings[place];
                let Some(mut numbers) = fresh.remove(&mapping.id) else {
                    continue;
                };
                numbers.sort_unstable();
                numbers.dedup();
                for chunk in numbers.chunks(limits::RECONCILE_PAIRS) {
                    let mut pairs = self.engine.ledger.pairs(chunk).await?;
                    pairs.retain(|pair| pair.status == Status::Todo);
                    pairs.sort_by_key(|pair| pair.id);
                    self.reconcile_pairs(mapping, pairs).await?;
                }
            }
        }
        Ok(())
    }

    /// Places of the mappings, those that others refer to first. Cycles are cut where they are met.
    pub(super) fn parents_first(&self) -> Vec<usize> {
        let mappings = &self.definition.mappings;
        let parents = |place: usize| -> Vec<usize> {
            let mapping = &mappings[place];
            let mut found = Vec::new();
            for side in Side::BOTH {
                let Some(object) = self.object(mapping, side) else {
                    continue;
                };
                for field in mapping.fields.iter().filter_map(|field| object.field(field.name(side))) {
                    found.extend(
                        (0..mappings.len())
                            .filter(|&other| other != place && field.targets.iter().any(|name| name == mappings[other].object(side))),
                    );
                }
            }
            found
        };
        fn visit(place: usize, parents: &dyn Fn(usize) -> Vec<usize>, seen: &mut BTreeSet<usize>, order: &mut Vec<usize>) {
            if !seen.insert(place) {
                return;
            }
            for parent in parents(place) {
                visit(parent, parents, seen, order);
            }
            order.push(place);
        }
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        for place in 0..mappings.len() {
            visit(place, &parents, &mut seen, &mut order);
        }
        order
    }

    async fn reconcile_pairs(&mut self, mapping: &ObjectMapping, mut pairs: Vec<Pair>) -> Result<(), SyncError> {
        if pairs.is_empty() {
            return Ok(());
        }
        let mut links = self.links(mapping, &pairs).await?;
        if self.broken.is_none() && self.fetch_parents(mapping, &pairs, &links).await? {
            links = self.links(mapping, &pairs).await?;
        }
        let mut plan = Plan::default();
        for pair in &mut pairs {
            self.decide(mapping, pair, &links, &mut plan);
        }
        let numbers: Vec<PairId> = pairs.iter().map(|pair| pair.id).collect();
        let now = self.now();
        let mut unit = self.begin().await?;
        unit.drop_plans(&numbers, now).await?;
        unit.save_conflicts(&numbers, &plan.conflicts, now).await?;
        unit.save_changes(&mut plan.changes).await?;
        unit.save_pairs(&mut pairs).await?;
        unit.save_run(&self.run).await?;
        unit.commit().await?;
        self.engine.observer.reconciled(numbers.len() as u64);
        Ok(())
    }

    /// Fetches records that these pairs refer to and that nobody has reported. Says whether any came.
    async fn fetch_parents(&mut self, mapping: &ObjectMapping, pairs: &[Pair], links: &Links) -> Result<bool, SyncError> {
        let definition = self.definition;
        let mut any = false;
        for side in Side::BOTH {
            let mut missing: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
            for reference in super::links::references(mapping, side, pairs) {
                let place = definition.mappings.iter().position(|mapping| mapping.object(side) == reference.object);
                if let Some(place) = place
                    && links.pair_of(side, reference).is_none()
                {
                    missing.entry(place).or_default().insert(reference.id.clone());
                }
            }
            for (place, ids) in missing {
                let parent = &definition.mappings[place];
                // Where everything is listed, who is not among the pairs does not exist.
                if self.listed[side.index()].iter().any(|name| name == parent.object(side)) || !self.has(parent, side, features::BY_ID) {
                    continue;
                }
                let ids: Vec<String> = ids.into_iter().collect();
                self.fetch_as(side, parent.object(side), &ids, Purpose::Parent).await?;
                let fetched = self.engine.ledger.pairs_of(parent.id, side, &ids).await?;
                any |= !fetched.is_empty();
                let listed = self.listed[side.other().index()].iter().any(|name| name == parent.object(side.other()));
                if !listed {
                    let alone = fetched.into_iter().filter(|pair| !pair.is_linked() && pair.status == Status::Todo).collect();
                    self.look_up_pairs(parent, side, alone).await?;
                }
            }
        }
        Ok(any)
    }

    fn decide(&mut self, mapping: &ObjectMapping, pair: &mut Pair, links: &Links, plan: &mut Plan) {
        if pair.halves.iter().any(|half| half.deleted.is_some()) {
            pair.status = Status::Deleted;
            return;
        }
        if pair.halves.iter().any(|half| half.filtered) {
            pair.status = Status::Excluded;
            return;
        }
        match (pair.half(Side::Left).id.is_some(), pair.half(Side::Right).id.is_some()) {
            (true, true) => self.decide_linked(mapping, pair, links, plan),
            (true, false) => self.decide_new(mapping, pair, Side::Right, plan),
            (false, true) => self.decide_new(mapping, pair, Side::Left, plan),
            (false, false) => {
                pair.status = Status::Excluded;
                pair.reason = Some("it has no record on either side".to_owned());
            }
        }
    }

    /// Settles the fields of two records that belong together.
    fn decide_linked(&mut self, mapping: &ObjectMapping, pair: &mut Pair, links: &Links, plan: &mut Plan) {
        if pair.context {
            // Read because another record refers to it: linked, and otherwise left as it is until it is reported itself.
            pair.status = Status::Ok;
            return;
        }
        let (precision, one_blank) = (self.precision(mapping), self.one_blank(mapping));
        let mut fields: [Vec<ChangedField>; 2] = [Vec::new(), Vec::new()];
        let mut conflicts = Vec::new();
        let mut agreements = Vec::new();
        for field in &mapping.fields {
            let slot = field.slot;
            let rules = field.rules(precision, one_blank);
            let linked = Side::BOTH.map(|side| {
                if field.is_reference() { pair.current(side, slot).and_then(|value| links.canonical(side, value)) } else { None }
            });
            let current = Side::BOTH.map(|side| {
                Some(Current {
                    value: pair.current(side, slot)?,
                    link: linked[side.index()].as_ref(),
                    time: pair.half(side).seen(slot).and_then(|seen| seen.time),
                })
            });
            let halves = pair.agreed(slot).map(|agreed| [agreed.left.as_ref(), agreed.right.as_ref()]);
            let settled = settle(&rules, halves, current[0], current[1]);
            match settled.decision {
                Decision::Unknown => {}
                Decision::Agree => agreements.push(slot),
                Decision::Write(writes) => {
                    for write in writes {
                        let base = pair.current(write.target, slot).cloned();
                        fields[write.target.index()].push(ChangedField {
                            slot,
                            value: write.value,
                            source: write.source,
                            base,
                            time: write.time,
                            base_time: pair.half(write.target).seen(slot).and_then(|seen| seen.time),
                            reason: settled.why.to_string(),
                        });
                    }
                }
                Decision::Conflict => {
                    let seen = |side: Side| Seen {
                        value: pair.current(side, slot).cloned().unwrap_or(Value::Null),
                        time: pair.half(side).seen(slot).and_then(|seen| seen.time),
                    };
                    conflicts.push(Conflict {
                        pair: pair.id,
                        slot,
                        left: seen(Side::Left),
                        right: seen(Side::Right),
                        reason: settled.why.to_string(),
                        run: self.run.id,
                    });
                    // A conflict belongs to both sides and is counted once, on the left.
                    let counts = self.run.count(Side::Left, mapping.object(Side::Left));
                    counts.conflicts += 1;
                    counts.because(format!("conflict in {}: {}", field.name(Side::Left), settled.why));
                }
            }
        }
        for slot in agreements {
            let agreed = Agreed { left: pair.current(Side::Left, slot).cloned(), right: pair.current(Side::Right, slot).cloned() };
            pair.set_agreed(slot, agreed);
            for side in Side::BOTH {
                pair.half_mut(side).set_seen(slot, None);
            }
        }
        plan.conflicts.extend(conflicts);
        pair.status = Status::Ok;
        pair.reason = None;
        for target in Side::BOTH {
            let fields = std::mem::take(&mut fields[target.index()]);
            if fields.is_empty() {
                continue;
            }
            let blind = !self.run.options.follows_bookmarks()
                && pair.half(target).read != Some(self.run.id)
                && self.exchange(target).local().is_none()
                && !(self.has(mapping, target, features::CONDITIONAL_UPDATE) && pair.half(target).version.is_some());
            if blind {
                let text = format!(
                    "{}: {} cannot be read by id and takes no conditional write; run a sync without a window",
                    held::ABSENCE,
                    mapping.object(target)
                );
                self.hold(pair, mapping, target.other(), text);
                continue;
            }
            let id = pair.half(target).id.clone().unwrap_or_default();
            let change = self.change(mapping, pair, target, Action::Update(id), fields);
            plan.changes.push(change);
        }
    }

    /// Plans a new record on `target`, if its absence there is proven and everything that it needs is there.
    fn decide_new(&mut self, mapping: &ObjectMapping, pair: &mut Pair, target: Side, plan: &mut Plan) {
        let source = target.other();
        let object = mapping.object(target);
        if self.broken.is_some() {
            return;
        }
        if !mapping.create[target.index()] || !self.has(mapping, target, features::CREATE) {
            pair.status = Status::Excluded;
            pair.reason = Some(format!("new records are not made on the {target}"));
            self.run.count(source, mapping.object(source)).excluded += 1;
            return;
        }
        let proven = self.listed[target.index()].iter().any(|name| name == object) || pair.half(source).alone == Some(self.run.id);
        if !proven {
            let text = format!(
                "{}: {} was neither listed completely nor looked up by {}; run a sync without a window, or give the record an identifier",
                held::ABSENCE,
                object,
                mapping.identifiers.iter().filter_map(|slot| Some(mapping.field(*slot)?.name(target))).collect::<Vec<_>>().join(", "),
            );
            self.hold(pair, mapping, source, text);
            return;
        }
        let mut fields = Vec::new();
        for field in &mapping.fields {
            let current = pair.current(source, field.slot).map(|value| Current {
                value,
                link: None,
                time: pair.half(source).seen(field.slot).and_then(|seen| seen.time),
            });
            match settle_new(&field.rules(1, false), current, target) {
                Ok(Ok(write)) => fields.push(ChangedField {
                    slot: field.slot,
                    value: write.value,
                    source: write.source,
                    base: None,
                    time: write.time,
                    base_time: None,
                    reason: crate::judge::Why::NewRecord.to_string(),
                }),
                Ok(Err(_)) => {}
                Err(why) => {
                    let text = format!("{}: {} of {}: {why}", held::REQUIRED, field.name(target), object);
                    self.hold(pair, mapping, source, text);
                    return;
                }
            }
        }
        if fields.is_empty() {
            pair.status = Status::Excluded;
            pair.reason = Some(format!("it has nothing that flows to the {target}"));
            self.run.count(source, mapping.object(source)).excluded += 1;
            return;
        }
        pair.status = Status::Ok;
        pair.reason = None;
        let change = self.change(mapping, pair, target, Action::Create, fields);
        plan.changes.push(change);
    }

    /// A change of the plan. Its pair stays to be done until the outcome is known.
    fn change(&mut self, mapping: &ObjectMapping, pair: &mut Pair, target: Side, action: Action, fields: Vec<ChangedField>) -> Change {
        let withheld = match target {
            Side::Left if self.run.options.disable_pull => Some("withheld: --disable-pull"),
            Side::Right if self.run.options.disable_push => Some("withheld: --disable-push"),
            _ => None,
        };
        let later = withheld.or(self.run.options.dry_run.then_some("planned: --dry-run"));
        pair.status = Status::Todo;
        if let Some(reason) = later {
            pair.reason = Some(reason.to_owned());
            let what = if action == Action::Create { "create" } else { "update" };
            let counts = self.run.count(target, mapping.object(target));
            counts.pending += 1;
            counts.because(format!("{reason}: {what}"));
        }
        Change {
            id: 0,
            key: format!("{:032x}", self.engine.randomness.bits()),
            run: self.run.id,
            mapping: mapping.id,
            pair: pair.id,
            target,
            action,
            fields,
            status: if withheld.is_some() { ChangeStatus::Withheld } else { ChangeStatus::Planned },
            reason: withheld.map(str::to_owned),
            ticket: None,
            sent: None,
            settled: None,
        }
    }

    /// Asks for one more look at a pair in this run.
    pub(super) fn revisit(&mut self, mapping: MappingId, pair: PairId) {
        self.fresh.entry(mapping).or_default().push(pair);
        self.again = true;
    }
}
