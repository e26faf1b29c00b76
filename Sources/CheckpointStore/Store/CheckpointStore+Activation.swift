import Foundation
import GRDB
import Kernels

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

    /// The activation history, oldest first; the last entry is active.
    ///
    /// A rollback removes entries from its end, and a removed version loses its entries.
    public func activations(of model: String) throws(CheckpointError) -> [Int] {
        try read { db in
            _ = try pointer(of: model, in: db)
            return try ActivationHistory(of: model, in: db).entries.map(\.number)
        }
    }

    /// The version that a rollback would return to, or nil when there is none.
    public func rollbackTarget(of model: String) throws(CheckpointError) -> Int? {
        try read { try rollbackTarget(of: pointer(of: model, in: $0), in: $0)?.number }
    }

    /// Makes the version that was active before the active one active again.
    ///
    /// The history is a stack: a rollback removes the version that it leaves, so the next rollback goes back one
    /// more.
    ///
    /// - Parameters:
    ///   - model: The model's name.
    ///   - expected: The version that it must return to; nil accepts any.
    /// - Returns: The version that is active now.
    /// - Throws: ``CheckpointError/nothingToRollBackTo(model:active:)``, and
    ///   ``CheckpointError/rollbackTargetChanged(model:expected:found:)`` when the history names another version.
    public func rollback(model: String, expecting expected: Int? = nil) throws(CheckpointError) -> Int {
        try write { db in
            var pointer = try pointer(of: model, in: db)
            guard let target = try rollbackTarget(of: pointer, in: db) else {
                throw CheckpointError.nothingToRollBackTo(model: model, active: pointer.active)
            }
            if let expected, expected != target.number {
                throw CheckpointError.rollbackTargetChanged(model: model, expected: expected, found: target.number)
            }
            _ = try find(model: model, version: target.number, in: db)
            try db.execute(sql: "DELETE FROM activation WHERE model = ? AND id > ?", arguments: [model, target.id])
            pointer.active = target.number
            try pointer.save(in: db)
            return target.number
        }
    }

    /// Removes a version that is not in use.
    ///
    /// - Throws: ``CheckpointError/invalid(reason:)`` for a version that is active or that an alias names.
    public func remove(model: String, version: Int) throws(CheckpointError) {
        try write { db in
            let isActive = try pointer(of: model, in: db).active == version
            let isNamed = try aliases(in: db).contains { alias in
                alias.model == model && alias.split.contains { $0.version == version }
            }
            guard !isActive, !isNamed else {
                throw CheckpointError.invalid(
                    reason: "version \(version) of '\(model)' is \(isActive ? "active" : "named by an alias")"
                )
            }
            _ = try find(model: model, version: version, in: db)
            try remove(model: model, version: version, in: db)
        }
    }

    /// Removes versions and item changes that are no longer needed.
    ///
    /// The newest `count` versions stay. The active version, the target of a rollback and the versions of aliases
    /// stay too. Later versions reuse the free space inside the file. The file shrinks only when more than half of
    /// it is free, because shrinking moves the rest.
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
            let numbers = try numbers(of: model, in: db)
            var kept = Set(numbers.suffix(count))
            kept.formUnion([pointer.active, try rollbackTarget(of: pointer, in: db)?.number].compactMap(\.self))
            for alias in try aliases(in: db) where alias.model == model { kept.formUnion(alias.split.map(\.version)) }
            var removed: [Int] = []
            for number in numbers where !kept.contains(number) {
                // The number of a damaged version may be wrong, so leave the version to `repair`.
                guard (try? find(model: model, version: number, in: db)) != nil else { continue }
                try remove(model: model, version: number, in: db)
                removed.append(number)
            }
            try mergeRepetitions(of: model, in: db)
            try removeOutdatedItemChanges(of: model, in: db)
            try giveBackSpace(in: db)
            return removed
        }
    }

    // MARK: Rows

    func recordActivation(of model: String, version: Int, at time: String? = nil, in db: Database) throws {
        let (id, at) = (try db.nextNumber("activation.id"), time ?? Date().formatted(.iso8601))
        try db.execute(
            sql: "INSERT INTO activation (id, model, number, at, digest) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                id, model, version, at, Migrations.activationDigest(id: id, number: version, at: at, model: model),
            ]
        )
    }

    func rollbackTarget(of pointer: ModelPointer, in db: Database) throws -> ActivationHistory.Entry? {
        let numbers = try numbers(of: pointer.name, in: db)
        // A rollback cannot return to an unreadable version.
        return try ActivationHistory(of: pointer.name, in: db).entries.last { entry in
            entry.number != pointer.active && numbers.contains(entry.number)
                && Bundle.isReadable(pointer.name, entry.number, in: db)
        }
    }

    func remove(model: String, version: Int, in db: Database) throws {
        let key: StatementArguments = [model, version]
        // A damaged row may hold no number of a bundle.
        let bundle = try? Bundle.row(of: model, version, in: db)?.integer(0, "bundle of version \(version)")
        try db.execute(sql: "DELETE FROM activation WHERE model = ? AND number = ?", arguments: key)
        try db.execute(sql: "DELETE FROM version WHERE model = ? AND number = ?", arguments: key)
        if let bundle { try Bundle.delete(bundle, from: db) }
    }

    /// Merges entries of the same version that are neighbours since the versions between them were removed.
    private func mergeRepetitions(of model: String, in db: Database) throws {
        let history = try ActivationHistory(of: model, in: db).entries
        for (entry, next) in zip(history, history.dropFirst()) where entry.number == next.number {
            try db.execute(sql: "DELETE FROM activation WHERE id = ?", arguments: [next.id])
        }
    }

    /// Shrinks a file that is mostly free; files older than `auto_vacuum` keep their size.
    private func giveBackSpace(in db: Database) throws {
        func pages(_ pragma: String) throws -> Int {
            try Row.fetchOne(db, sql: "PRAGMA \(pragma)")?.integer(0, pragma) ?? 0
        }
        guard try 2 * pages("freelist_count") > pages("page_count") else { return }
        try db.execute(sql: "PRAGMA incremental_vacuum")
    }
}
