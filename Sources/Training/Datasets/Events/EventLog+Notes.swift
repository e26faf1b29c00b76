// Warnings about ids and times that are probably faults.

extension EventLog {
    /// Warnings about ids by which other programs write a missing value.
    func notesOfMissingIDs(
        of source: EventSource,
        _ vocabulary: ItemVocabulary,
        _ reading: EventReading
    ) -> [String] {
        func note(_ role: ColumnRole, _ numbers: [Int32], _ number: (ArraySlice<UInt8>) -> Int32?) -> [String] {
            let other = reading.otherColumn(of: role).map { ", or take the column '\($0)' with --\(role)-column" } ?? ""
            func drop(_ id: String) -> String { role == .user ? ", or train with --drop-user '\(id)'" : "" }
            return CSVReader.missingValues.compactMap { id in
                guard let own = number(Array(id.utf8)[...]) else { return nil }
                let share = Double(share: numbers.count { $0 == own }, of: users.count)
                return "warning: \(source.name): the \(role.rawValue) '\(id)' has \(NumberText.percent(share)) of the "
                    + "events. If this id stands for a missing value, remove its rows\(drop(id))\(other)"
            }
        }
        // Users who are probably many visitors have a note of their own.
        let userNotes = note(.user, users) { id in
            guard let user = userTable.number(of: id) else { return nil }
            return sharedUsers.contains { $0.id == userIDs[Int(user)] } ? nil : user
        }
        return userNotes + note(.item, items, vocabulary.number(of:))
    }

    /// A warning about ids such as `8.90E+12`: a spreadsheet rounds long numbers, so several ids become one.
    static func notesOfRoundedIDs(_ ids: [String], _ role: ColumnRole, of source: EventSource) -> [String] {
        let pattern = /\d[.,]\d+E\+\d+/
        let rounded = ids.filter { id in
            // Almost no id has a point or a comma there, and the pattern costs much.
            let second = id.utf8.dropFirst().first
            return (second == UInt8(ascii: ".") || second == UInt8(ascii: ",")) && id.wholeMatch(of: pattern) != nil
        }
        guard let first = rounded.first else { return [] }
        let has = rounded.count == 1 ? "has" : "have"
        return [
            "warning: \(source.name): \(rounded.count) of \(ids.count) \(role.plural) \(has) an id such as '\(first)', a "
                + "long number that a spreadsheet rounded, so different \(role.plural) may have become one. Export the ids as text"
        ]
    }

    /// A warning about times that are no times of the log's clock, such as 0; nil if there are none, or no clock, or if
    /// the times were not written as numbers that count from 1970.
    func noteOfOddTimes(_ lastTimestamps: [Timestamp]) -> String? {
        let scale = TimeScale(lastTimestamps)
        guard countsFrom1970, scale.isClock else { return nil }
        let odd = (0..<Int32(users.count)).lazy.map { times[$0] }.filter { !scale.fits($0) }
        guard let first = odd.first else { return nil }
        return
            "warning: \(name): \(odd.count) of \(users.count) events \(odd.count == 1 ? "has" : "have") a time such as "
            + "\(first), which does not fit the others, \(scale.rawValue) since 1970. They are sorted by the number as it is; correct them"
    }
}
