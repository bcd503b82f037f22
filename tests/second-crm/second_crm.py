#!/usr/bin/env python3
"""A second server of hello-crm's interface, written from tests/hello-crm/README.md alone.

It keeps the rules of that interface, and misbehaves as real remote systems do when it is told to. State is in memory.
How to start it, and its back door: README.md beside this file. Standard library only; Python 3.9 or later.
"""

import argparse
import base64
import json
import random
import re
import secrets
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PERSON, ORGANISATION = "person", "organisation"
PATHS = {"persons": PERSON, "organisations": ORGANISATION}
PREFIX = {PERSON: "p", ORGANISATION: "o"}

# Name -> kind; required and identifier fields are listed beside.
FIELDS = {
    PERSON: {
        "first_name": "text", "last_name": "text", "email": "email", "phone": "phone", "mobile": "phone",
        "job_title": "text", "street": "text", "city": "text", "region": "text", "country": "text",
        "website": "url", "score": "integer", "organisation": "reference", "tags": "texts",
    },
    ORGANISATION: {
        "name": "text", "email": "email", "phone": "phone", "website": "url", "street": "text", "city": "text",
        "region": "text", "country": "text",
    },
}
REQUIRED = {PERSON: "last_name", ORGANISATION: "name"}
IDENTIFIER = {PERSON: "email", ORGANISATION: "name"}
LENGTH = {"text": 255, "email": 254, "phone": 50, "url": 2000, "texts": 100}

LARGEST_BODY = 2 * 1024 * 1024
MOST_KEYS = MOST_IDS = MOST_LIMIT = 200
MOST_CHANGES = 100
KEPT_KEYS = 48 * 3600 * 1_000_000

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
EMAIL = re.compile(r"[^\s@<>(),;:\"\[\]\\]+@[^\s@<>(),;:\"\[\]\\]+")
PHONE = re.compile(r"[0-9 +\-()./,;#x]+")

# ---------------------------------------------------------------------------------------------- errors and times


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status, code, message, **more):
        super().__init__(message)
        self.status = status
        self.record = more.pop("record", None)
        self.error = {"code": code, "message": message, "fields": more.pop("fields", []), **more}

    def body(self):
        body = {"error": self.error}
        if self.record is not None:
            body["record"] = self.record
        return body


class Closed(Exception):
    """The connection is closed; so much of the answer is sent before."""

    def __init__(self, share=0.0, answer=None):
        super().__init__()
        self.share = share
        self.answer = answer


def field_error(name, code, message):
    return {"name": name, "code": code, "message": message}


def show(micros):
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:06d}Z"


def read_time(text, name):
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", text)
    try:
        zone = "+00:00" if found[4] in "zZ" else found[4]
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}")
    except (TypeError, ValueError):
        fields = [field_error(name, "wrong-type", "Not a time.")]
        raise Refused(422, "invalid-query", f"{name} is not a time.", fields=fields) from None
    return int(moment.timestamp()) * 1_000_000 + int((found[3] or "").ljust(6, "0")[:6])


# ---------------------------------------------------------------------------------------------- values


def is_blank(value):
    return value is None or value == "" or value == []


def read_value(crm, kind, value):
    """The value as it is stored; ValueError(code) when it is not accepted."""
    if value is None:
        return [] if kind == "texts" else None
    if kind == "integer":
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("wrong-type")
        if not -(2**31) <= value < 2**31:
            raise ValueError("out-of-range")
        return value
    if kind == "texts":
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ValueError("wrong-type")
        if any(CONTROL.search(one) for one in value):
            raise ValueError("invalid-text")
        stored = sorted({one.strip() for one in value})
        if any(len(one) > LENGTH[kind] for one in stored):
            raise ValueError("too-long")
        if len(stored) > 50:
            raise ValueError("too-many")
        return stored
    if not isinstance(value, str):
        raise ValueError("wrong-type")
    return read_text(crm, kind, value)


def read_text(crm, kind, value):
    if kind == "reference":
        if value not in crm.records[ORGANISATION]:
            raise ValueError("unknown-reference")
        return value
    if kind == "email":
        value = value.strip().lower()
    if len(value) > LENGTH[kind]:
        raise ValueError("too-long")
    if kind == "text" and CONTROL.search(value):
        raise ValueError("invalid-text")
    # The README: empty text is stored as empty text.
    if value == "":
        return value
    if kind == "email" and not EMAIL.fullmatch(value):
        raise ValueError("invalid-email")
    if kind == "phone" and not (PHONE.fullmatch(value) and re.search(r"[0-9]", value)):
        raise ValueError("invalid-phone")
    if kind == "url" and not re.match(r"https?://", value):
        raise ValueError("invalid-url")
    return value


def normalised(how, name, value):
    """What a remote system that tidies up makes of an accepted value; the interface itself does nothing of this."""
    if not isinstance(value, str) or name not in how:
        return value
    if name == "country":
        return value.upper()
    if name in ("phone", "mobile"):
        return ("+" if value.startswith("+") else "") + re.sub(r"[^0-9]", "", value)
    return value


# ---------------------------------------------------------------------------------------------- the CRM


class Crm:
    """Records, keys and tokens of one account."""

    def __init__(self, character=None):
        character = character or {}
        self.character = character
        self.random = random.Random(character.get("seed", 0))
        # Made with the data.
        self.account = secrets.token_hex(8)
        self.page_size = character.get("page_size", 100)
        self.unique_email = character.get("unique_email", False)
        self.normalise = set(character.get("normalise", []))
        self.skew = character.get("skew_ms", 0) * 1000
        self.records = {PERSON: {}, ORGANISATION: {}}
        self.deleted = {PERSON: {}, ORGANISATION: {}}
        self.given = {PERSON: 0, ORGANISATION: 0}
        self.last_stamp = 0
        self.sequence = 0
        self.epoch = 0
        self.keys = {}
        # What people did, by the back door or by themselves: each field that changed by them.
        self.journal = []
        self.by_person = False
        # The record that is being made or deleted, which is not among the records.
        self.leaving = None

    # -- clock

    def now(self):
        return time.time_ns() // 1000 + self.skew

    def stamp(self):
        """The time of a change: each later than the one before."""
        self.last_stamp = max(self.now(), self.last_stamp + 1)
        return self.last_stamp

    # -- records

    def view(self, record, fields=None):
        names = [name for name in record["fields"] if fields is None or name in fields]
        return {
            "id": record["id"],
            "version": record["version"],
            "created_at": show(record["created"]),
            "updated_at": show(record["updated"]),
            "fields": {name: record["fields"][name] for name in names},
            "changed": {name: show(record["changed"][name]) for name in names if name in record["changed"]},
        }

    def live(self, object, id):
        record = self.records[object].get(id)
        if record is not None:
            return record
        gone = self.deleted[object].get(id)
        if gone is None:
            raise Refused(404, "not-found", f"There is no {object} {id}.")
        more = {"deleted_at": show(gone["at"])}
        if gone.get("into"):
            more["merged_into"] = self.heir(object, gone["into"])
        raise Refused(410, "deleted", f"{id} was deleted.", **more)

    def heir(self, object, id):
        """Where a chain of merges ends."""
        while id not in self.records[object] and self.deleted[object].get(id, {}).get("into"):
            id = self.deleted[object][id]["into"]
        return id

    def accept(self, object, given, creating):
        """The values of a write as they are stored."""
        if not isinstance(given, dict):
            raise Refused(422, "invalid-change", "fields is not an object.")
        kinds, stored, errors = FIELDS[object], {}, []
        for name, value in given.items():
            if name not in kinds:
                errors.append(field_error(name, "unknown-field", "There is no such field."))
                continue
            try:
                stored[name] = normalised(self.normalise, name, read_value(self, kinds[name], value))
            except ValueError as error:
                errors.append(field_error(name, str(error), f"Not accepted: {error}."))
        required = REQUIRED[object]
        refused = any(error["name"] == required for error in errors)
        if not refused and (creating or required in stored) and is_blank(stored.get(required)):
            errors.append(field_error(required, "required", "It must have a value."))
        if errors:
            names = ", ".join(error["name"] for error in errors)
            raise Refused(422, "invalid-fields", f"Not accepted: {names}.", fields=errors)
        return stored

    def refuse_double(self, object, stored, own):
        email = stored.get("email")
        if object != PERSON or not self.unique_email or is_blank(email):
            return
        for record in self.records[PERSON].values():
            if record["id"] != own and record["fields"]["email"] == email:
                raise Refused(409, "duplicate", f"{record['id']} has this address.", existing=record["id"])

    def put(self, object, record, stored, stamp):
        """Stores values; those that change nothing leave version and times as they are."""
        changed = {name: value for name, value in stored.items() if record["fields"][name] != value}
        if not changed:
            return record
        for name, value in changed.items():
            self.note(object, record["id"], name, record["fields"][name], value)
            record["fields"][name] = value
            record["changed"][name] = stamp
        record["version"] += 1
        record["updated"] = stamp
        self.sequence += 1
        record["sequence"] = self.sequence
        return record

    def note(self, object, id, field, before, after):
        if self.by_person:
            record = self.records[object].get(id) or self.leaving
            entry = {"object": object, "id": id, "field": field, "before": before, "after": after}
            self.journal.append({**entry, "record": dict(record["fields"])})

    def create(self, object, given):
        stored = self.accept(object, given, True)
        self.refuse_double(object, stored, None)
        self.given[object] += 1
        id = f"{PREFIX[object]}{self.given[object]}"
        stamp = self.stamp()
        blank = {name: [] if kind == "texts" else None for name, kind in FIELDS[object].items()}
        record = {"id": id, "version": 0, "created": stamp, "updated": stamp, "fields": blank, "changed": {}}
        self.leaving = {"fields": {**blank, **stored}}
        self.put(object, record, stored, stamp)
        self.records[object][id] = record
        return record

    def update(self, object, id, given, version=None):
        record = self.live(object, id)
        self.check_version(record, version)
        stored = self.accept(object, given, False)
        self.refuse_double(object, stored, id)
        return self.put(object, record, stored, self.stamp())

    def check_version(self, record, version):
        if version is not None and record["version"] != version:
            message = f"{record['id']} is at version {record['version']} now."
            raise Refused(412, "version-mismatch", message, record=self.view(record))

    def delete(self, object, id, version=None, into=None):
        record = self.live(object, id)
        self.check_version(record, version)
        stamp = self.stamp()
        self.sequence += 1
        self.leaving = self.records[object].pop(id)
        self.deleted[object][id] = {"at": stamp, "into": into, "sequence": self.sequence}
        self.note(object, id, None, None, "merged" if into else "deleted")
        if self.by_person and into:
            self.journal[-1]["into"] = dict(self.records[object][into]["fields"])
        if object == ORGANISATION:
            for person in self.records[PERSON].values():
                if person["fields"]["organisation"] == id:
                    self.put(PERSON, person, {"organisation": into}, self.stamp())

    def merge(self, object, id, into):
        loser = self.live(object, id)
        if into == id or into not in self.records[object]:
            fields = [field_error("into", "unknown-reference", "It is not there.")]
            raise Refused(422, "unknown-reference", f"There is no {object} {into} to merge into.", fields=fields)
        winner = self.records[object][into]
        taken = {
            name: value
            for name, value in loser["fields"].items()
            if name != "tags" and winner["fields"][name] is None and value is not None
        }
        if "tags" in loser["fields"]:
            taken["tags"] = sorted(set(winner["fields"]["tags"]) | set(loser["fields"]["tags"]))
        self.delete(object, id, into=into)
        return self.put(object, winner, taken, self.stamp())

    # -- one change, with its key

    def once(self, key, what, do):
        """Does a change unless its key has been seen: then the first answer. Gives status, body, replayed."""
        if key is None:
            return (*self.answer(do), False)
        if not isinstance(key, str) or not 1 <= len(key) <= 200:
            raise Refused(400, "invalid-header", "A key has 1 to 200 characters.")
        seen = self.keys.get(key)
        if seen and seen["at"] + KEPT_KEYS > self.now():
            if seen["what"] != what:
                message = f"The key {key} was used for another change."
                raise Refused(422, "idempotency-key-reused", message)
            return seen["status"], json.loads(seen["body"]), True
        status, body = self.answer(do)
        self.keys[key] = {"what": what, "status": status, "body": json.dumps(body), "at": self.now()}
        return status, body, False

    @staticmethod
    def answer(do):
        try:
            return do()
        except Refused as refused:
            return refused.status, refused.body()

    def change(self, object, change):
        """One change of a batch, as its result."""
        id, action = change["id"], change.get("action")
        record, version = change.get("record"), change.get("if_version")

        def do():
            if action not in ("create", "update", "delete"):
                raise Refused(422, "invalid-change", "action is create, update or delete.")
            if action != "create" and not isinstance(record, str):
                raise Refused(422, "invalid-change", "record is missing.")
            if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
                raise Refused(422, "invalid-change", "if_version is not a number.")
            if action == "create":
                return 201, {"record": self.view(self.create(object, change.get("fields")))}
            if action == "update":
                return 200, {"record": self.view(self.update(object, record, change.get("fields"), version))}
            self.delete(object, record, version)
            return 204, {}

        what = fingerprint(action, object, record, change.get("fields"), version)
        try:
            status, body, replayed = self.once(id, what, do)
        except Refused as refused:
            status, body, replayed = refused.status, refused.body(), False
        return {"id": id, "status": status, **body, **({"replayed": True} if replayed else {})}


def fingerprint(*what):
    return json.dumps(what, sort_keys=True)


# ---------------------------------------------------------------------------------------------- listings

LIST_PARAMETERS = {
    "updated_since", "updated_before", "limit", "after", "ids", "fields", "include_deleted", "sync_token",
}


def invalid_query(name, message):
    return Refused(422, "invalid-query", message, fields=[field_error(name, "wrong-type", message)])


class Listing:
    """One page of a listing: `GET /v1/{objects}`."""

    def __init__(self, crm, object, query):
        self.crm, self.object, self.query = crm, object, query
        for name in query:
            if name not in LIST_PARAMETERS:
                raise invalid_query(name, f"There is no parameter {name}.")
        self.ids = [id for id in query["ids"].split(",") if id] if "ids" in query else None
        self.token = self.read_token()
        self.fields = self.read_fields()
        self.since = read_time(query["updated_since"], "updated_since") if "updated_since" in query else None
        self.before = read_time(query["updated_before"], "updated_before") if "updated_before" in query else None
        self.limit = self.read_limit()
        if self.ids is not None and len(self.ids) > MOST_IDS:
            raise invalid_query("ids", "At most 200 ids.")
        if self.token is not None and (self.ids is not None or self.since is not None or self.before is not None):
            raise invalid_query("sync_token", "A sync token goes with neither ids nor a window.")
        if query.get("include_deleted", "false") not in ("true", "false"):
            raise invalid_query("include_deleted", "true or false.")
        self.with_deleted = self.token is not None or query.get("include_deleted") == "true"
        self.cursor = self.read_cursor()

    def read_limit(self):
        text = self.query.get("limit", str(self.crm.page_size))
        if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MOST_LIMIT:
            raise invalid_query("limit", "1 to 200.")
        # A small page of a test wins over what the caller asks for: fewer than asked is allowed.
        return min(int(text), self.crm.page_size)

    def read_fields(self):
        if "fields" not in self.query:
            return None
        names = [name for name in self.query["fields"].split(",") if name]
        unknown = [name for name in names if name not in FIELDS[self.object]]
        if unknown:
            errors = [field_error(name, "unknown-field", "There is no such field.") for name in unknown]
            raise Refused(422, "invalid-query", "Unknown fields.", fields=errors)
        return set(names)

    def read_token(self):
        if "sync_token" not in self.query:
            return None
        found = decode(self.query["sync_token"])
        if not found or found.get("t") != self.object or found.get("e") != self.crm.epoch:
            raise Refused(410, "sync-token-expired", "List everything anew.")
        return found["s"]

    def bound(self):
        """What must stay the same from page to page."""
        return fingerprint(*sorted((n, v) for n, v in self.query.items() if n not in ("after", "limit")))

    def read_cursor(self):
        if "after" not in self.query:
            # What is hidden as late is seen by the next listing.
            late = self.crm.late(self.object) if self.token is not None else 0
            return {"k": None, "s": max(self.crm.sequence - late, self.token or 0), "u": None}
        found = decode(self.query["after"])
        if not found or "k" not in found or found.get("e") != self.crm.epoch or found.get("t") != self.object:
            raise Refused(400, "cursor-expired", "Begin the listing again.")
        if found["b"] != self.bound():
            raise invalid_query("after", "A cursor goes with the parameters that it was given for.")
        return found

    def rows(self):
        """Sort key, and record or deletion, in order."""
        by_sequence = self.token is not None
        rows = []
        for record in self.crm.records[self.object].values():
            key = [record["sequence"]] if by_sequence else [record["updated"], number(record["id"])]
            if self.within(record["id"], record["updated"], record["sequence"]):
                rows.append((key, record, None))
        if self.with_deleted:
            for id, gone in self.crm.deleted[self.object].items():
                key = [gone["sequence"]] if by_sequence else [gone["at"], number(id)]
                if self.within(id, gone["at"], gone["sequence"]):
                    rows.append((key, None, (id, gone)))
        rows.sort(key=lambda row: row[0])
        return rows

    def within(self, id, at, sequence):
        if self.ids is not None and id not in self.ids:
            return False
        if self.token is not None:
            return self.token < sequence <= self.cursor["s"]
        return (self.since is None or at >= self.since) and (self.before is None or at < self.before)

    def answer(self):
        rows = self.rows()
        if self.token is not None:
            # What changes while pages are read moves to the end, behind what this listing began with.
            rows = [row for row in rows if row[0][0] <= self.cursor["s"]]
        after = self.cursor["k"]
        rest = [row for row in rows if after is None or row[0] > after]
        page, more = rest[: self.limit], len(rest) > self.limit
        records = [self.crm.view(record, self.fields) for _, record, _ in page if record]
        records = self.crm.misplaced(self.object, records, self.fields, self.ids is not None)
        next_cursor = token = None
        if more:
            next_cursor = encode({**self.state(), "k": page[-1][0], "b": self.bound(), "s": self.cursor["s"]})
        elif self.ids is None:
            token = encode({**self.state(), "s": self.cursor["s"]})
        deleted = [self.deletion(*gone) for _, _, gone in page if gone]
        return {"records": records, "deleted": deleted, "next": next_cursor, "sync_token": token}

    def state(self):
        return {"e": self.crm.epoch, "t": self.object}

    def deletion(self, id, gone):
        shown = {"id": id, "deleted_at": show(gone["at"])}
        if gone.get("into"):
            shown["merged_into"] = self.crm.heir(self.object, gone["into"])
        return shown


def number(id):
    return int(id[1:])


def encode(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def decode(text):
    try:
        value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


# ---------------------------------------------------------------------------------------------- misbehaviour


class Unruly(Crm):
    """The CRM with the faults of its character.

    `faults` has a share of requests (0 to 1) for each: `drop` (not done, no answer), `lose` (done, no answer), `cut` (done,
    the answer breaks off), `busy` (429), `broken` (500 for the whole request, not done), `broken_after` (500, done),
    `broken_item` (a change of a batch is answered 500, done or not), `busy_item` (a change of a batch is answered 429, not
    done), `late` (a listing by sync token leaves the newest changes to the next one), `twice` (rows come twice), `shuffle`
    (rows of a page out of order), `edit` (a person edits a record that a batch is about to write, just before), `merge` (a
    person merges two people between two requests)."""

    def __init__(self, character=None):
        super().__init__(character)
        self.faults = dict(self.character.get("faults", {}))
        self.calm = True
        self.struck = {}
        self.requests = 0
        self.batches = 0
        self.search_lag = self.character.get("search_lag_ms", 0) * 1000
        self.words = 0
        self.hang = None
        self.hung = threading.Event()
        self.released = threading.Event()

    def strikes(self, fault):
        """Draws whether a fault strikes now."""
        share = self.faults.get(fault, 0)
        if self.calm or not share or self.random.random() >= share:
            return False
        self.struck[fault] = self.struck.get(fault, 0) + 1
        return True

    def before(self, method, path):
        """Faults that come before a request is done."""
        self.requests += 1
        if path.endswith("/batch"):
            self.batches += 1
        if self.strikes("merge"):
            self.somebody_merges()
        if self.strikes("drop"):
            raise Closed()
        if self.strikes("busy"):
            wait = self.random.choice([0, 0, 1])
            raise Refused(429, "rate-limited", "Too many requests.", retry_after=wait)
        if self.strikes("broken"):
            raise Refused(500, "internal", "Something went wrong.")

    def after(self, method, answer):
        """Faults that come once a request is done."""
        if self.strikes("lose"):
            raise Closed()
        if self.strikes("cut"):
            raise Closed(self.random.random(), answer)
        if method != "GET" and self.strikes("broken_after"):
            raise Refused(500, "internal", "Something went wrong.")

    def change(self, object, change):
        if object == PERSON and change.get("action") == "update" and self.strikes("edit"):
            self.somebody_edits(change.get("record"))
        if self.strikes("busy_item"):
            error = Refused(429, "rate-limited", "Too many requests.", retry_after=0)
            return {"id": change["id"], "status": 429, **error.body()}
        if self.strikes("broken_item"):
            if self.random.random() < 0.5:
                super().change(object, change)
            return {"id": change["id"], "status": 500, **Refused(500, "internal", "Something went wrong.").body()}
        return super().change(object, change)

    def somebody_edits(self, id):
        if id not in self.records[PERSON]:
            return
        self.words += 1
        field = self.random.choice(["street", "city", "region", "first_name"])
        self.as_person(lambda: self.update(PERSON, id, {field: f"Theirs {self.words}"}))

    def somebody_merges(self):
        people = sorted(self.records[PERSON], key=number)
        if len(people) > 3:
            loser, winner = self.random.sample(people, 2)
            self.as_person(lambda: self.merge(PERSON, loser, winner))

    def as_person(self, do):
        self.by_person = True
        try:
            return do()
        except Refused as refused:
            return refused
        finally:
            self.by_person = False

    def late(self, object):
        return self.random.randint(1, 4) if self.strikes("late") else 0

    def misplaced(self, object, records, fields, by_id):
        if not by_id and records and self.strikes("twice"):
            again = self.random.choice(sorted(self.records[object], key=number))
            records = records + [self.view(self.records[object][again], fields)]
        if self.strikes("shuffle"):
            self.random.shuffle(records)
        return records

    def searchable(self, record):
        return record["created"] + self.search_lag <= self.now()


# ---------------------------------------------------------------------------------------------- the interface


class Api:
    """Requests under /v1: routes and their rules."""

    def __init__(self, crm, headers, body):
        self.crm, self.headers, self.body = crm, headers, body
        self.extra = {}

    def handle(self, method, path, query):
        """Status and body."""
        parts = [part for part in path.split("/") if part][1:]
        if parts == ["schema"]:
            self.only(method, "GET")
            return 200, schema(self.crm.account)
        if not parts or len(parts) > 3:
            raise Refused(404, "no-such-path", "There is nothing here.")
        object = PATHS.get(parts[0])
        if object is None:
            raise Refused(404, "unknown-object", f"There is no object {parts[0]}.")
        if len(parts) == 1:
            self.only(method, "GET", "POST")
            return self.list(object, query) if method == "GET" else self.post(object)
        if len(parts) == 2 and parts[1] == "search":
            self.only(method, "POST")
            return self.search(object)
        if len(parts) == 2 and parts[1] == "batch":
            self.only(method, "POST")
            return self.batch(object)
        if len(parts) == 2:
            self.only(method, "GET", "PATCH", "DELETE")
            return self.one(method, object, parts[1])
        if parts[2] != "merge":
            raise Refused(404, "no-such-path", "There is nothing here.")
        self.only(method, "POST")
        return self.merge(object, parts[1])

    @staticmethod
    def only(method, *methods):
        if method not in methods:
            raise Refused(405, "no-such-method", f"Here there is {' and '.join(methods)}.")

    def json(self):
        if (self.headers.get("Content-Type") or "").split(";")[0].strip().lower() != "application/json":
            raise Refused(415, "unsupported-media-type", "Content-Type is application/json.")
        try:
            value = json.loads(self.body, parse_constant=lambda name: float("nan") / 0)
        except (ValueError, ZeroDivisionError, RecursionError):
            raise Refused(400, "invalid-json", "The body is not JSON.") from None
        if not isinstance(value, dict):
            raise Refused(422, "invalid-body", "The body is not an object.")
        return value

    def fields(self):
        body = self.json()
        if not isinstance(body.get("fields"), dict) or set(body) != {"fields"}:
            raise Refused(422, "invalid-body", "The body is {\"fields\": {…}}.")
        return body["fields"]

    def version(self):
        text = self.headers.get("If-Match")
        if text is None:
            return None
        found = re.fullmatch(r'"([0-9]{1,18})"', text.strip())
        if not found:
            raise Refused(400, "invalid-header", "If-Match is a version in quotes.")
        return int(found[1])

    def keyed(self, what, do):
        status, body, replayed = self.crm.once(self.headers.get("Idempotency-Key"), what, do)
        if replayed:
            self.extra["Idempotent-Replayed"] = "true"
        return status, self.tagged(status, body)

    def tagged(self, status, body):
        """A record alone is answered as it is, with its version as ETag."""
        if status in (200, 201) and "record" in body:
            self.extra["ETag"] = f'"{body["record"]["version"]}"'
            return body["record"]
        return body

    def list(self, object, query):
        return 200, Listing(self.crm, object, query).answer()

    def post(self, object):
        fields, crm = self.fields(), self.crm
        what = fingerprint("create", object, None, fields, None)
        return self.keyed(what, lambda: (201, {"record": crm.view(crm.create(object, fields))}))

    def one(self, method, object, id):
        crm = self.crm
        if method == "GET":
            return 200, self.tagged(200, {"record": crm.view(crm.live(object, id))})
        version = self.version()
        if method == "PATCH":
            fields = self.fields()
            what = fingerprint("update", object, id, fields, version)
            return self.keyed(what, lambda: (200, {"record": crm.view(crm.update(object, id, fields, version))}))

        def do():
            crm.delete(object, id, version)
            return 204, {}

        return self.keyed(fingerprint("delete", object, id, None, version), do)

    def merge(self, object, id):
        body, crm = self.json(), self.crm
        if not isinstance(body.get("into"), str):
            raise Refused(422, "invalid-body", "The body is {\"into\": id}.")
        what = fingerprint("merge", object, id, body["into"], None)
        return self.keyed(what, lambda: (200, {"record": crm.view(crm.merge(object, id, body["into"]))}))

    def batch(self, object):
        changes = self.json().get("changes")
        if not isinstance(changes, list) or len(changes) > MOST_CHANGES:
            raise Refused(422, "invalid-batch", "changes is a list of at most 100.")
        for change in changes:
            id = change.get("id") if isinstance(change, dict) else None
            if not isinstance(id, str) or not 1 <= len(id) <= 200:
                raise Refused(422, "invalid-batch", "Each change has an id of 1 to 200 characters.")
        return 200, {"results": [self.crm.change(object, change) for change in changes]}

    def search(self, object):
        body = self.json()
        fields, keys, match = body.get("fields"), body.get("keys"), body.get("match", "all")
        if not isinstance(fields, list) or not fields or not isinstance(keys, list) or len(keys) > MOST_KEYS:
            raise Refused(422, "invalid-search", "fields and at most 200 keys are needed.")
        if match not in ("all", "any") or any(not isinstance(k, list) or len(k) != len(fields) for k in keys):
            raise Refused(422, "invalid-search", "match is all or any; a key has a value for each field.")
        self.check_searchable(object, fields)
        results = [{"key": key, "ids": self.matches(object, fields, key, match)} for key in keys]
        return 200, {"results": results}

    @staticmethod
    def check_searchable(object, fields):
        errors = []
        for name in fields:
            kind = FIELDS[object].get(name) if isinstance(name, str) else None
            if kind is None:
                errors.append(field_error(str(name), "unknown-field", "There is no such field."))
            elif kind == "texts":
                errors.append(field_error(name, "not-searchable", "Sets are not searched."))
        if errors:
            raise Refused(422, "invalid-fields", "These fields are not searched.", fields=errors)

    def matches(self, object, fields, key, match):
        wanted = [self.stored(object, name, value) for name, value in zip(fields, key)]
        found = []
        for record in self.crm.records[object].values():
            if not self.crm.searchable(record):
                continue
            equal = [not is_blank(w) and record["fields"][n] == w for n, w in zip(fields, wanted)]
            if all(equal) if match == "all" else any(equal):
                found.append(record["id"])
        return sorted(found, key=number)

    def stored(self, object, name, value):
        """As the server would store it; what it would not store matches nothing."""
        try:
            return normalised(self.crm.normalise, name, read_value(self.crm, FIELDS[object][name], value))
        except ValueError:
            return None


def schema(account):
    """The README names what a field has, not the shape around it: that is the one the sample plugin reads."""
    objects = []
    for path, object in PATHS.items():
        fields = [
            {
                "name": name,
                "label": name.replace("_", " ").capitalize(),
                "kind": kind,
                "required": name == REQUIRED[object],
                "writable": True,
                "max_length": LENGTH.get(kind),
                "identifier": name == IDENTIFIER[object],
                "targets": [ORGANISATION] if kind == "reference" else [],
            }
            for name, kind in FIELDS[object].items()
        ]
        objects.append({"name": object, "path": path, "label": object.capitalize(), "fields": fields})
    return {"account": {"id": account, "name": "second-crm"}, "largest_page": MOST_LIMIT, "objects": objects}


# ---------------------------------------------------------------------------------------------- the back door


class BackDoor:
    """What a test does to the CRM beside its interface: /back-door. No fault strikes here."""

    def __init__(self, server):
        self.server = server

    def handle(self, method, what, given):
        crm = self.server.crm
        if what == "reset":
            crm.released.set()
            self.server.crm = Unruly(given)
            return {}
        if what == "do":
            return self.do(crm, given)
        if what == "faults":
            crm.calm = not given["on"]
            return {}
        if what == "clock":
            crm.skew += given["step_ms"] * 1000
            return {}
        if what == "expire":
            crm.epoch += 1
            return {}
        if what == "hang":
            crm.released.clear()
            crm.hung.clear()
            crm.hang = {"at": crm.requests + given["after"] + 1, "done": given["done"]}
            return {}
        if what == "release":
            crm.hang = None
            crm.released.set()
            return {}
        if what == "hung":
            return {"hung": crm.hung.is_set()}
        if what == "state":
            return self.state(crm)
        raise Refused(404, "no-such-path", "There is no such back door.")

    @staticmethod
    def do(crm, given):
        """A person's deed: create, update, delete or merge."""
        object, action, id = given["object"], given["action"], given.get("id")

        def deed():
            if action == "create":
                return crm.create(object, given["fields"])
            if action == "update":
                return crm.update(object, id, given["fields"])
            if action == "merge":
                return crm.merge(object, id, given["into"])
            return crm.delete(object, id)

        done = crm.as_person(deed)
        if isinstance(done, Refused):
            return {"status": done.status, **done.body()}
        return {"status": 200, "record": crm.view(done) if done else None}

    @staticmethod
    def state(crm):
        records = {object: [crm.view(one) for one in rows.values()] for object, rows in crm.records.items()}
        deleted = {
            object: {id: {"into": gone["into"]} for id, gone in rows.items()}
            for object, rows in crm.deleted.items()
        }
        return {
            "records": records, "deleted": deleted, "journal": crm.journal, "struck": crm.struck,
            "requests": crm.requests, "batches": crm.batches, "sequence": crm.sequence,
        }


# ---------------------------------------------------------------------------------------------- HTTP


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def any(self):
        address = urlsplit(self.path)
        try:
            body = self.read_body()
            status, answer, headers = self.route(address, body)
        except Refused as refused:
            status, answer, headers = refused.status, refused.body(), {}
        except Closed as closed:
            self.close(closed)
            return
        self.send(status, answer, headers)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = any

    def read_body(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST_BODY:
            self.close_connection = True
            raise Refused(413, "too-large", "At most 2 MiB.")
        body = self.rfile.read(length)
        if len(body) < length:
            raise Refused(400, "incomplete-body", "The body breaks off.")
        return body

    def route(self, address, body):
        server = self.server
        if address.path == "/health":
            return 200, {"status": "ok"}, {}
        if address.path.startswith("/back-door/"):
            with server.lock:
                given = json.loads(body) if body else {}
                return 200, BackDoor(server).handle(self.command, address.path[len("/back-door/"):], given), {}
        if address.path != "/v1" and not address.path.startswith("/v1/"):
            raise Refused(404, "no-such-path", "There is nothing here.")
        crm = server.crm
        self.wait(crm, "no", "late")
        with server.lock:
            answered = self.interface(crm, address, body)
        if answered is None:
            raise Closed()
        self.wait(crm, "yes")
        if isinstance(answered, Exception):
            raise answered
        return answered

    def interface(self, crm, address, body):
        """Status, body and headers, or the fault that struck; nothing when the CRM has been reset meanwhile."""
        if crm is not self.server.crm:
            return None
        try:
            crm.before(self.command, address.path)
            self.check_key()
            query = {name: values[-1] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
            api = Api(crm, self.headers, body)
            try:
                status, answer = api.handle(self.command, address.path, query)
            except Refused as refused:
                status, answer = refused.status, refused.body()
            crm.after(self.command, answer)
            return status, answer, api.extra
        except (Refused, Closed) as fault:
            return fault

    def wait(self, crm, *done):
        """The request at which the client is to be killed waits here until it is. It is done before that, not at all, or
        late: afterwards."""
        hang = crm.hang
        number = crm.requests + (0 if done == ("yes",) else 1)
        if hang and number >= hang["at"] and hang["done"] in done:
            crm.hung.set()
            crm.released.wait(120)
            if hang["done"] != "late":
                raise Closed()

    def check_key(self):
        key = self.server.key
        given = self.headers.get("Authorization") or ""
        if given == f"Bearer {key}":
            return
        if self.server.read_only_key and given == f"Bearer {self.server.read_only_key}":
            if self.command == "GET" or self.path.split("?")[0].endswith("/search"):
                return
            raise Refused(403, "read-only-key", "This key may only read.")
        raise Refused(401, "unauthorized", "The key is wrong.")

    def send(self, status, answer, headers):
        self.wfile.write(self.encoded(status, answer, headers))

    def encoded(self, status, answer, headers):
        body = b"" if status == 204 else json.dumps(answer, ensure_ascii=False).encode()
        lines = [f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}"]
        if status != 204:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        error = answer.get("error", {}) if isinstance(answer, dict) else {}
        if status == 429:
            lines.append(f"Retry-After: {error.get('retry_after', 1)}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def close(self, closed):
        self.close_connection = True
        if closed.answer is not None:
            whole = self.encoded(200, closed.answer, {})
            self.wfile.write(whole[: int(len(whole) * closed.share)])


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address, key, read_only_key=None, character=None):
        super().__init__(address, Handler)
        self.key, self.read_only_key = key, read_only_key
        self.lock = threading.RLock()
        self.crm = Unruly(character)

    def handle_error(self, request, client_address):
        # A client that was killed is no error of the server; anything else is shown.
        import sys

        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--listen", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=int, default=0, help="port; 0: any free one")
    parser.add_argument("--accounts", type=int, default=1, help="so many CRMs, each at a port of its own")
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--read-only-key")
    parser.add_argument("--character", default="{}", help="JSON, as for /back-door/reset")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input does")
    given = parser.parse_args()
    character = json.loads(given.character)
    servers = []
    for account in range(given.accounts):
        port = given.port + account if given.port else 0
        servers.append(Server((given.listen, port), given.api_key, given.read_only_key, character))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps([server.server_address[1] for server in servers]), flush=True)
    if given.until_stdin_closes:
        import sys

        sys.stdin.buffer.read()
    else:
        threading.Event().wait()


if __name__ == "__main__":
    main()
