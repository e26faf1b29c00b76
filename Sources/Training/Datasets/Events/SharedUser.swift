import Kernels

/// A user who is probably many visitors, such as the id `null` of everybody without a login.
///
/// Such a user's events follow each other by chance. As one history they teach that everything follows everything.
public struct SharedUser: Sendable, Equatable, Encodable {
    /// The user's id.
    public let id: String
    /// The user's events.
    public let events: Int

    /// The fewest other users from which a user can be told from many visitors, and the fewest events of such a user.
    static let (fewestOthers, fewestEvents) = (100, 500)
    /// Such a user has more than so many times the events of others, and more than this part of all events: a tenth.
    static let (ratio, part) = (10, 10)

    /// How to keep such a user.
    static let remedy = "to keep them, train with --keep-shared-users, or \"dropSharedUsers\": false in data.targets"

    /// Ids by which programs name a visitor whom they do not know.
    private static let placeholders = Set(
        CSVReader.missingValues.map { $0.lowercased() } + [
            "-1", "anonymous", "anon", "guest", "unknown", "default",
        ]
    )

    /// The users of a log who are probably many visitors.
    ///
    /// Each has at least 500 events, more than a tenth of all, and more than ten times as many as any of at least 100
    /// other users. A user with an id such as `null` needs only ten times as many as nine in ten others, because a log
    /// may have scripts too.
    ///
    /// - Parameters:
    ///   - counts: The events of each user.
    ///   - ids: The users' ids.
    /// - Returns: The numbers of the users, in the order of the log.
    static func numbers(counts: [Int], ids: [String]) -> [Int] {
        let total = counts.reduce(0, +)
        let large = counts.indices.filter { counts[$0] * part > total && counts[$0] >= fewestEvents }
        guard !large.isEmpty, counts.count - large.count >= fewestOthers else { return [] }
        let others = counts.indices.filter { !large.contains($0) }.map { counts[$0] }.sorted()
        let (most, usual) = (others[others.count - 1], others[(others.count * 9 - 1) / 10])
        return large.filter { counts[$0] > ratio * (placeholders.contains(ids[$0].lowercased()) ? usual : most) }
    }
}

extension EventLog {
    /// The users who are probably many visitors.
    var sharedUsers: [SharedUser] {
        let counts = eventCounts
        return SharedUser.numbers(counts: counts, ids: userIDs).map { SharedUser(id: userIDs[$0], events: counts[$0]) }
    }

    /// The log without the users that a choice of targets leaves out, and with notes about them.
    ///
    /// - Parameters:
    ///   - targets: The choice.
    ///   - decided: For a validation or test part, the users whom the training part left out: only the training part
    ///     decides. Nil for the training part.
    /// - Returns: This log if nobody is left out.
    func withoutDroppedUsers(_ targets: TargetConfiguration, decided: [String]? = nil) -> EventLog {
        var dropped: Set<Int32> = []
        var notes: [String] = []
        func share(_ events: Int) -> String { NumberText.percent(Double(share: events, of: users.count)) }
        let counts = eventCounts
        for id in decided ?? targets.dropUsers.kinds {
            guard let user = number(ofUser: id) else {
                if decided == nil {
                    notes.append("warning: \(name): no event has the user '\(id)', who is to be left out")
                }
                continue
            }
            guard dropped.insert(user).inserted else { continue }
            let events = NumberText.counted(counts[Int(user)], "event")
            notes.append("\(name): \(events) of the user '\(id)' left out, \(share(counts[Int(user)])) of all")
        }
        let decides = targets.dropSharedUsers && decided == nil
        for user in decides ? SharedUser.numbers(counts: counts, ids: userIDs) : [] {
            guard dropped.insert(Int32(user)).inserted else { continue }
            notes.append(
                "warning: \(name): the user '\(userIDs[user])' has \(share(counts[user])) of the events, more than "
                    + "\(SharedUser.ratio) times as many as others, so it is probably many visitors. Its events are left "
                    + "out; \(SharedUser.remedy)"
            )
        }
        return dropped.isEmpty ? adding(notes) : without(dropped).adding(notes)
    }

    private var eventCounts: [Int] {
        users.reduce(into: [Int](repeating: 0, count: userIDs.count)) { $0[Int($1)] += 1 }
    }
}
