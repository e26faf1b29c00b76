import Foundation

extension LogReport {
    /// The findings that the reader should know first: a sentence or two each, the most important one first.
    public var findings: [String] { trainingFindings + qualityFindings + characterFindings }

    private var trainingFindings: [String] {
        switch training {
        case .failure(let refusal): return ["`dimerec train` would refuse this log. \("\(refusal)".printableLine)"]
        case .success(let outlook): return accuracyFindings(outlook)
        }
    }

    private func accuracyFindings(_ outlook: TrainingOutlook) -> [String] {
        let baselines = outlook.baselines
        guard let best = baselines.best(by: \.hitRate), let hitRate = best.hitRate,
            let first = baselines.best(by: \.meanReciprocalRank), let reciprocalRank = first.meanReciprocalRank
        else { return [] }
        var findings: [String] = []
        if hitRate == 0 {
            findings.append(
                "The simple systems find none of the held-out items. Are the columns of users, items and times the right ones?"
            )
        } else if items > 20 {
            let margin = NumberText.rate(baselines.margin(hitRate))
            let (hit, reciprocal) = (NumberText.rate(hitRate), NumberText.rate(reciprocalRank))
            let bar =
                best.system == first.system
                ? "\(best.system): HR@20 of \(hit) and MRR@20 of \(reciprocal)"
                : "\(best.system) with its HR@20 of \(hit) and \(first.system) with its MRR@20 of \(reciprocal)"
            let rows = NumberText.grouped(baselines.rows)
            findings.append("A model must beat \(bar). On \(rows) rows such an HR@20 is uncertain by \(margin).")
        } else {
            findings.append(
                "The log has \(items) items, so the first 20 always hold the next one. HR@20 says nothing; a model must beat "
                    + "the MRR@20 of \(NumberText.rate(reciprocalRank)) of \(first.system)."
            )
        }
        let unseen = Double(share: baselines.unseenTargets, of: baselines.rows)
        if unseen > 0.05 {
            findings.append(
                "\(NumberText.percent(unseen)) of the validation targets are of items that the training part does not have. "
                    + "No system can learn them from the log."
            )
        }
        let older = Double(share: outlook.olderTargets ?? 0, of: baselines.rows)
        if older > 0.2 {
            findings.append(
                "\(NumberText.percent(older)) of the validation targets are older than the newest training event. If tastes "
                    + "change with time, the figures are better than those of real use."
            )
        }
        return findings
    }

    /// Rows that may be wrong.
    private var qualityFindings: [String] {
        var findings: [String] = []
        for user in sharedUsers {
            findings.append(
                "The user '\(user.id.printable)' has \(NumberText.percent(Double(share: user.events, of: events))) of the "
                    + "events, more than \(SharedUser.ratio) times as many as others, so it is probably many visitors. "
                    + "`dimerec train` leaves its events out, and so do the split and the simple systems of this report; "
                    + "`--keep-shared-users` keeps them."
            )
        }
        if !times.hasColumn {
            findings.append("The file has no column of times. The order of its rows counts as the order of events.")
        }
        if times.oddTimes > 0 {
            findings.append(
                "\(NumberText.counted(times.oddTimes, "event", "has", "have")) a time that does not fit the others, which are "
                    + "\(times.scale.rawValue) since 1970. Such times are sorted by the number as it is; correct them."
            )
        }
        if times.futureEvents > 0 {
            findings.append(
                "\(NumberText.counted(times.futureEvents, "event", "lies", "lie")) in the future, the newest at \(times.last). `dimerec "
                    + "retrain` refuses such a log; correct these times, or remove the rows."
            )
        }
        if duplicates.rows > 0 {
            findings.append(
                "\(NumberText.counted(duplicates.rows, "row", "repeats", "repeat")) the user, item and time of another row. Training "
                    + "keeps such rows; remove them if they are logging errors."
            )
        }
        if suspects.count > 0 {
            findings.append(
                "Users who do not behave like people: \(NumberText.grouped(suspects.count)), with "
                    + "\(NumberText.percent(Double(share: suspects.events, of: events))) of all events. Training keeps them; "
                    + "look at the list, and remove scripts and default ids."
            )
        }
        for (name, alike) in [("user", alikeUsers), ("item", alikeItems)] where alike.count > 0 {
            let example = alike.example.map { "'\($0.printable)'" }.joined(separator: " and ")
            findings.append(
                "\(NumberText.counted(alike.count, name, "has", "have")) an id that is almost another one's, such as \(example). "
                    + "Such ids count as different; write one form if they mean the same."
            )
        }
        let ties = Double(share: times.ties, of: repeats.targets)
        if ties > 0.2 {
            findings.append(
                "\(NumberText.percent(ties)) of the events have the same time as their user's event before. Only the "
                    + "file gives the order of these events, and sequence models learn it."
            )
        }
        return findings
    }

    /// The kind of event that a model should most likely predict: the most frequent purchase, or else the rarest kind.
    private var strongestKind: String? {
        let kinds = values.kinds.map(\.value)
        let purchases = ["purchase", "buy", "order", "transaction"]
        return kinds.first { purchases.contains($0.lowercased()) }
            ?? kinds.first { kind in purchases.contains(where: kind.lowercased().contains) } ?? kinds.last
    }

    /// Traits of the log that decide what a model can do.
    private var characterFindings: [String] {
        var findings: [String] = []
        if values.kinds.count > 1, let kind = strongestKind?.printable {
            findings.append(
                "The events are of \(values.kinds.count) kinds. All count alike unless you say which of them a model should "
                    + "predict, for example by `dimerec train --where 'event=\(kind)'`."
            )
        }
        if values.ratings.count > 1 {
            findings.append(
                "The log has ratings. All events count alike, low ratings too, unless you say which of them a model should "
                    + "predict, for example by `dimerec train --where 'rating>=4'`."
            )
        }
        if activity.newItemShareOfLastTenth > 0.1 {
            findings.append(
                "\(NumberText.percent(activity.newItemShareOfLastTenth)) of the events in the last tenth are of items "
                    + "that do not occur before. A model does not know such items until the next training, so train often."
            )
        }
        if repeats.repeatShare > 0.2 {
            findings.append(
                "\(NumberText.percent(repeats.repeatShare)) of the events repeat an item of the same user, so do not "
                    + "remove the history from answers; in a request, \"exclude_history\": false keeps it."
            )
        }
        if Double(share: popularity.itemsOnce, of: items) > 0.5 {
            findings.append("More than half of the items occur once. A model learns next to nothing about them.")
        }
        if lengths.events.median < 3 {
            findings.append("Half of the users have at most two events, so there is little history to learn from.")
        }
        return findings
    }
}

extension NumberText {
    /// A rate from 0 to 1, with four decimals as in the tables of `evaluate`.
    static func rate(_ value: Double) -> String { String(format: "%.4f", value) }
}
