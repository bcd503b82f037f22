"""A plugin for hello-crm in Python: what it has, what is new there, and the changes that it is asked to make.

The classes bear the names of the interfaces in world.wit; `entente plugin build` looks for them in app.py.
"""

import functools
import json
import time
import traceback

from componentize_py_types import Err
from wit_world.imports import data
from wit_world.exports import lookup, mapping_manual, order_execution, sync_report
from wit_world.exports.mapping_manual import Direction, FieldMapping, ObjectMapping
from wit_world.exports.order_execution import (
    Answer, Failure, Outcome_Converted, Outcome_Created, Outcome_Deleted, Outcome_Failed, Outcome_Retry, Outcome_Stale,
    Outcome_Unchanged, Outcome_Updated, Retry,
)

from client import Response, Trouble, call
from records import json_of, micros, moment, row_of

# Organisations first, so that those that people refer to are known by then.
PATHS = {"organisation": "organisations", "person": "persons"}
# The most rows of a page where the schema tells no other number, and the most keys of a search and ids of a listing.
PAGE_SIZE = 200


def told(function):
    """What goes wrong becomes an error that the host acts on; a mistake in this code becomes one with its place."""

    @functools.wraps(function)
    def wrapped(*arguments):
        try:
            return function(*arguments)
        except Err as failed:
            # What an imported function throws (a header that the host sets, say) is no error of the interface.
            if not isinstance(failed.value, data.Error):
                raise Err(data.Error("plugin-failed", traceback.format_exc(), None, None, []))
            raise
        except Trouble as trouble:
            raise Err(trouble.error)
        except Exception:
            raise Err(data.Error("plugin-failed", traceback.format_exc(), None, None, []))

    return wrapped


def path(name: str) -> str:
    if name not in PATHS:
        raise Trouble("misconfigured", f"hello-crm has no object '{name}'; check the mapping", sent=False)
    return PATHS[name]


class MappingManual:
    @told
    def describe(self, _call: data.Call) -> mapping_manual.Description:
        schema = call("GET", "schema").ok()
        page_size = schema.get("largest_page", PAGE_SIZE)
        objects = [self.object(told, page_size) for told in schema["objects"] if told["name"] in PATHS]
        # Which account this is: the host never mixes its records up with those of another one.
        told = schema.get("account")
        account = mapping_manual.Account("hello-crm", told["id"], told["name"], []) if told else None
        return mapping_manual.Description(objects, account, [])

    def object(self, told: dict, page_size: int) -> mapping_manual.Object:
        # `idempotent-create` is missing: this plugin uses no idempotency keys, as many systems have none. The host then
        # sends no create twice, and looks for what became of one without an answer.
        features = ["create", "update", "delete", "deletions", "full-listing", "conditional-update", "by-id"]
        fields = [self.field(field) for field in told["fields"]]
        return mapping_manual.Object(told["name"], told["label"], fields, "field", 1, features, None, page_size, 50, [])

    def field(self, told: dict) -> mapping_manual.Field:
        words = {
            "required": told["required"],
            "read-only": not told["writable"],
            "identifier": told["identifier"],
            "set-like": told["kind"] == "texts",
        }
        features = [word for word, holds in words.items() if holds]
        targets = told.get("targets", [])
        name, label, kind, longest = told["name"], told["label"], told["kind"], told["max_length"]
        return mapping_manual.Field(name, label, kind, features, targets, [], longest, [])

    @told
    def manual(self, _call: data.Call) -> mapping_manual.Proposal:
        def mapping(hub, remote, required, identifiers, fields):
            pairs = [(pair, pair) if isinstance(pair, str) else pair for pair in fields]
            both = [FieldMapping(ours, theirs, Direction.BOTH, ours == required, []) for ours, theirs in pairs]
            return ObjectMapping(hub, remote, both, identifiers, False, [])

        shared = ["email", "phone", "website", ("address", "street"), "city", "region", "country"]
        person = ["first_name", "last_name", "mobile", ("company", "organisation"), ("position", "job_title"),
                  ("points", "score"), "tags"]
        return mapping_manual.Proposal(
            [
                mapping("company", "organisation", "name", ["name"], ["name", *shared]),
                mapping("contact", "person", "last_name", ["email"], [*person, *shared]),
            ],
            [],
        )


class SyncReport:
    @told
    def report(self, request: sync_report.Request) -> sync_report.Page:
        """A page of one object. The cursor says which object, and where in it."""
        wanted = sorted(request.objects, key=lambda wanted: list(PATHS.values()).index(path(wanted.object)))
        place = json.loads(request.cursor) if request.cursor else {"object": 0}
        if place["object"] >= len(wanted):
            return sync_report.Page([], [], None, None, [], [])
        of = wanted[place["object"]]
        try:
            read = self.by_ids if of.ids else self.listed
            batch, conversions, place["at"], finished = read(request, of, place.get("at"))
        except Trouble as trouble:
            # A token that is too old is one of this object: the others go on from theirs.
            trouble.error.object = of.object
            raise
        if place["at"] is None:
            place = {"object": place["object"] + 1}
        goes_on = place["object"] < len(wanted)
        return sync_report.Page([batch], conversions, json.dumps(place) if goes_on else None, None, finished, [])

    def listed(self, request: sync_report.Request, of: sync_report.Wanted, at: str | None):
        query = {"fields": ",".join(of.fields), "limit": request.limit}
        by_window = not of.full and of.bookmark is None and of.window.since is not None
        everything = of.full or of.bookmark is None and of.window.since is None
        if by_window:
            query |= {"updated_since": moment(of.window.since), "updated_before": moment(of.window.until)}
        # hello-crm's sync token is the bookmark of this plugin.
        if by_window or everything:
            query["include_deleted"] = "false" if request.first_time else "true"
        else:
            query["sync_token"] = of.bookmark
        if at is not None:
            query["after"] = at
        page = call("GET", path(of.object), query).ok()
        finished = []
        if page["next"] is None:
            # A window ends before its listing begins: the token would skip what happened in between.
            bookmark = None if by_window else page["sync_token"]
            finished.append(sync_report.Finished(of.object, bookmark, everything, []))
        return *self.rows(of, page), page["next"], finished

    def by_ids(self, request: sync_report.Request, of: sync_report.Wanted, at: int | None):
        begin, size = at or 0, min(request.limit, PAGE_SIZE)
        ids = of.ids[begin : begin + size]
        query = {"fields": ",".join(of.fields), "ids": ",".join(ids), "limit": size, "include_deleted": "true"}
        page = call("GET", path(of.object), query).ok()
        # Pages may be smaller than what was asked for: what is on the next one is not missing.
        while page["next"] is not None:
            part = call("GET", path(of.object), query | {"after": page["next"]}).ok()
            page = {**part, "records": page["records"] + part["records"], "deleted": page["deleted"] + part["deleted"]}
        batch, conversions = self.rows(of, page)
        # An id that hello-crm passes over was never there, or is so no more: for the host both is gone.
        known = {record["id"] for record in page["records"] + page["deleted"]}
        batch.deleted += [data.Deletion(id, None, []) for id in dict.fromkeys(ids) if id not in known]
        return batch, conversions, begin + size if begin + size < len(of.ids) else None, []

    def rows(self, of: sync_report.Wanted, page: dict):
        gone, merged = [], []
        for record in page["deleted"]:
            if heir := record.get("merged_into"):
                before, after = data.Reference(of.object, record["id"]), data.Reference(of.object, heir)
                merged.append(data.Conversion(before, after, micros(record["deleted_at"]), []))
            else:
                gone.append(data.Deletion(record["id"], micros(record["deleted_at"]), []))
        rows = [row_of(record, of.fields) for record in page["records"]]
        return data.Batch(of.object, of.fields, rows, gone, [], []), merged


class OrderExecution:
    @told
    def execute(self, order: order_execution.Order) -> order_execution.Execution:
        """One change after the other, and the truth about each.

        An order that ends in an error may have been carried out, whatever the code. So errors are kept for what goes
        wrong before anything was sent: a change that was turned away, or comes after one that was, is answered with
        `retry`, one of which nobody knows what became of it gets no answer, and `stopped` says why.
        """
        # A rest of the time for the request that is under way.
        over = time.monotonic() + order.call.deadline / 1000 * 0.8
        answers, stopped = [], None
        for change in order.changes:
            if stopped or time.monotonic() > over:
                reason = stopped.reason if stopped else "the time of this call is used up"
                outcome = Outcome_Retry(Retry(stopped.after if stopped else 0, reason, []))
            else:
                try:
                    outcome = self.make(order, change)
                except Trouble as trouble:
                    stopped = trouble.error
                    if trouble.sent:
                        continue
                    outcome = Outcome_Retry(Retry(stopped.after, stopped.reason, []))
            answers.append(Answer(change.id, outcome, []))
        return order_execution.Execution(answers, stopped, [])

    def make(self, order: order_execution.Order, change: order_execution.Change) -> order_execution.Outcome:
        fields = {
            name: json_of(value)
            for name, value in zip(order.fields, change.values)
            if not isinstance(value, data.Value_Unset)
        }
        match_version = {"if-match": f'"{change.version}"'} if change.version else {}
        objects = path(order.object)
        match change.action:
            case order_execution.Action_Create():
                response = call("POST", objects, body={"fields": fields})
            case order_execution.Action_Update(id):
                response = call("PATCH", f"{objects}/{id}", body={"fields": fields}, headers=match_version)
            case order_execution.Action_Delete(id):
                response = call("DELETE", f"{objects}/{id}", headers=match_version)
        return self.outcome(order, change, response)

    def outcome(self, order: order_execution.Order, change: order_execution.Change, response: Response):
        refusal = response.refusal
        match response.status:
            case 201:
                return Outcome_Created(row_of(response.body, order.fields))
            case 200:
                row = row_of(response.body, order.fields)
                # hello-crm leaves the version as it is when a write changes nothing.
                return Outcome_Unchanged(row) if row.version == change.version else Outcome_Updated(row)
            case 412:
                return Outcome_Stale(row_of(response.body["record"], order.fields))
            case 410 if refusal.get("merged_into"):
                return Outcome_Converted(data.Reference(order.object, refusal["merged_into"]))
            case 204 | 404 | 410:
                return Outcome_Deleted()
        return Outcome_Failed(self.failure(response.status, refusal))

    def failure(self, status: int, refusal: dict) -> Failure:
        fields = refusal.get("fields", [])
        known = {403: "forbidden", 409: "duplicate", 413: "too-large"}
        # A code of the remote's own is told as one: the host acts on some of those that the interface has.
        code = known.get(status) or f"hello-crm:{refusal.get('code', status)}"
        if refusal.get("code") == "invalid-fields":
            code = "required" if all(field["code"] == "required" for field in fields) else "invalid-value"
        details = "; ".join(f"{field['name']}: {field['message']}" for field in fields)
        reason = f"{refusal.get('message', f'hello-crm answered {status}')} {details}".strip()
        return Failure(code, reason, [field["name"] for field in fields], [])

    @told
    def collect(self, _ticket: str, _order: order_execution.Order) -> order_execution.Collection:
        raise Trouble("unsupported", "hello-crm answers at once", sent=False)


class Lookup:
    @told
    def find(self, query: lookup.Query) -> lookup.Found:
        ids: list[list[str]] = [[] for _ in query.keys]
        # By which fields are set: hello-crm matches nothing for a blank, so blanks are not sent.
        groups: dict[tuple[int, ...], list[int]] = {}
        for number, key in enumerate(query.keys):
            present = tuple(at for at, value in enumerate(key) if getattr(value, "value", "") != "")
            if present:
                groups.setdefault(present, []).append(number)
        for present, numbers in groups.items():
            for begin in range(0, len(numbers), PAGE_SIZE):
                some = numbers[begin : begin + PAGE_SIZE]
                results = call("POST", f"{path(query.object)}/search", body={
                    "fields": [query.fields[at] for at in present],
                    "keys": [[json_of(query.keys[number][at]) for at in present] for number in some],
                    "match": "all" if query.all else "any",
                }).ok()["results"]
                # One result for each key, or they cannot be told apart.
                if len(results) != len(some):
                    raise Trouble("invalid-answer", f"{len(some)} keys were searched for, {len(results)} were answered")
                for number, result in zip(some, results):
                    ids[number] = result["ids"]
        return lookup.Found(ids, [])
