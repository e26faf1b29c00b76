import Crypto
import Foundation
import GRDB

/// An entry of a model's activation history.
struct Activation {
    var id: Int
    var number: Int
}

extension CheckpointStore {
    /// The version that `load(model:)` returns, or nil when none was activated.
    public func activeVersion(of model: String) throws(CheckpointError) -> Int? {
        try read { try pointer(of: model, in: $0).active }
    }

    /// Makes a version the active one; activating the active one again changes nothing.
    public func activate(model: String, version: Int) throws(CheckpointError) {
        try write { db in
            var pointer = try pointer(of: model, in: db)
            _ = try find(model: model, version: version, in: db)
            guard pointer.active != version else { return }
            pointer.active = version
            try pointer.save(in: db)
            try recordActivation(of: model, version: version, in: db)
        }
    }

    /// The activation history, oldest first: the last is active; a rollback takes entries off its end, and a version that
    /// is removed leaves it.
    public func activations(of model: String) throws(CheckpointError) -> [Int] {
        try read { db in
            _ = try pointer(of: model, in: db)
            return try history(of: model, in: db).map(\.number)
        }
    }

    /// The version that a rollback would return to, or nil when there is none.
    public func rollbackTarget(of model: String) throws(CheckpointError) -> Int? {
        try read { try rollbackTarget(of: pointer(of: model, in: $0), in: $0)?.number }
    }

    /// Makes the version that was active before the active one active again.
    ///
    /// The history is a stack: what is rolled back leaves it, so that the next rollback goes back one more.
    ///
    /// - Returns: The version that is active now.
    /// - Throws: ``CheckpointError/nothingToRollBackTo(model:active:)``.
    public func rollback(model: String) throws(CheckpointError) -> Int {
        try write { db in
            var pointer = try pointer(of: model, in: db)
            guard let target = try rollbackTarget(of: pointer, in: db) else {
                throw CheckpointError.nothingToRollBackTo(model: model, active: pointer.active)
            }
            _ = try find(model: model, version: target.number, in: db)
            try db.execute(sql: "DELETE FROM activation WHERE model = ? AND id > ?", arguments: [model, target.id])
            pointer.active = target.number
            try pointer.save(in: db)
            return target.number
        }
    }

    /// Removes versions that are no longer needed, and item changes that no version needs any more.
    ///
    /// The newest `count` versions stay, and besides them the active one, the one that a rollback would return to, and
    /// those that an alias names. Space inside the file is used again by later versions; only when more than half of the
    /// file is free does it shrink, because that moves what is left.
    ///
    /// - Parameters:
    ///   - model: The model's name.
    ///   - count: How many of the newest versions stay, at least 1.
    /// - Returns: The removed versions, oldest first.
    /// - Throws: ``CheckpointError``; then nothing was removed.
    public func prune(model: String, keeping count: Int) throws(CheckpointError) -> [Int] {
        precondition(count >= 1, "keeping \(count) versions")
        return try write { db in
            let pointer = try pointer(of: model, in: db)
            try requireWhole("version", in: db)
            let numbers = try numbers(of: model, in: db)
            var kept = Set(numbers.suffix(count))
            kept.formUnion([pointer.active, try rollbackTarget(of: pointer, in: db)?.number].compactMap(\.self))
            for alias in try aliases(in: db) where alias.model == model { kept.formUnion(alias.split.map(\.version)) }
            let removed = numbers.filter { !kept.contains($0) }
            for number in removed { try remove(model: model, version: number, in: db) }
            try mergeRepetitions(of: model, in: db)
            try removeOutdatedItemChanges(of: model, in: db)
            try giveBackSpace(in: db)
            return removed
        }
    }

    // MARK: Rows

    func recordActivation(of model: String, version: Int, in db: Database) throws {
        let highest = try Row.fetchOne(db, sql: "SELECT max(id) FROM activation")?.optionalInteger(0, "activation")
        let (id, at) = ((highest ?? 0) + 1, Date().formatted(.iso8601))
        try db.execute(
            sql: "INSERT INTO activation (id, model, number, at, digest) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                id, model, version, at, Migrations.activationDigest(id: id, number: version, at: at, model: model),
            ]
        )
    }

    private func history(of model: String, in db: Database) throws -> [Activation] {
        try requireWhole("activation", in: db)
        let sql = "SELECT id, number, at, digest FROM activation WHERE model = ? ORDER BY id"
        return try Row.fetchAll(db, sql: sql, arguments: [model]).map { row in
            let entry = Activation(
                id: try row.integer(0, "activation"),
                number: try row.integer(1, "activated version")
            )
            let digest = Migrations.activationDigest(
                id: entry.id,
                number: entry.number,
                at: try row.text(2, "time of activation"),
                model: model
            )
            guard try row.bytes(3, "digest of activation") == digest else {
                throw CheckpointError.corrupted(
                    what: "the digest of activation \(entry.id) does not match",
                    location: "model '\(model)'"
                )
            }
            return entry
        }
    }

    func rollbackTarget(of pointer: ModelPointer, in db: Database) throws -> Activation? {
        try history(of: pointer.name, in: db).last { $0.number != pointer.active }
    }

    private func remove(model: String, version: Int, in db: Database) throws {
        let key: StatementArguments = [model, version]
        let sql = "SELECT bundle FROM version WHERE model = ? AND number = ?"
        let bundle = try Row.fetchOne(db, sql: sql, arguments: key)?.integer(0, "bundle of version \(version)")
        try db.execute(sql: "DELETE FROM activation WHERE model = ? AND number = ?", arguments: key)
        try db.execute(sql: "DELETE FROM version WHERE model = ? AND number = ?", arguments: key)
        if let bundle { try Bundle.delete(bundle, from: db) }
    }

    /// Leaves one of neighbouring entries of the same version, which removed versions between them had kept apart.
    private func mergeRepetitions(of model: String, in db: Database) throws {
        let history = try history(of: model, in: db)
        for (entry, next) in zip(history, history.dropFirst()) where entry.number == next.number {
            try db.execute(sql: "DELETE FROM activation WHERE id = ?", arguments: [next.id])
        }
    }

    /// Shrinks a file that is mostly free; files of before `auto_vacuum` keep their size.
    private func giveBackSpace(in db: Database) throws {
        func pages(_ pragma: String) throws -> Int {
            try Row.fetchOne(db, sql: "PRAGMA \(pragma)")?.integer(0, pragma) ?? 0
        }
        guard try 2 * pages("freelist_count") > pages("page_count") else { return }
        try db.execute(sql: "PRAGMA incremental_vacuum")
    }
}
