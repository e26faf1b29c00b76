public import ArgumentParser
import Recommenders
public import Training

/// Which events of a log are targets and which users are left out, in place of the recipe's choice.
struct TargetOptions: ParsableArguments {
    @Option(
        name: .customLong("where"),
        help: """
            event=KIND[,KIND] or rating>=NUMBER: only these events are targets; histories keep all. Repeat it to ask for both.
            """
    )
    var conditions: [String] = []
    @Option(help: "Loss weights by kind of event, such as view=1,buy=5.") var eventWeights: KindWeights?
    @Option(help: "A column with a loss weight for each event.") var weightColumn: String?
    @Option(help: "Leave out the events of this user, such as null; repeat it for several.") var dropUser: [String] = []
    @Flag(help: "Keep the events of an id that probably stands for many visitors, such as null.")
    var keepSharedUsers = false

    func validate() throws {
        var targets = TargetConfiguration()
        try apply(to: &targets)
        do {
            try targets.validate(prefix: "data.targets.")
        } catch {
            throw ValidationError("\(error)")
        }
    }

    /// Puts the given values in place of the recipe's.
    ///
    /// - Throws: `ValidationError` for a condition that is not understood.
    func apply(to targets: inout TargetConfiguration) throws {
        for condition in conditions {
            let kinds = condition.hasPrefix("event=") ? KindList(String(condition.dropFirst(6))) : nil
            if let kinds, !kinds.kinds.isEmpty {
                targets.events = kinds
            } else if condition.hasPrefix("rating>="), let rating = Double(condition.dropFirst(8)) {
                targets.minRating = rating
            } else {
                throw ValidationError("--where: '\(condition)' is not understood; write event=buy or 'rating>=4'.")
            }
        }
        if let eventWeights { targets.weights = eventWeights }
        if let weightColumn { targets.weightColumn = weightColumn }
        if !dropUser.isEmpty {
            let isEmpty = dropUser.contains { $0.allSatisfy(\.isWhitespace) }
            guard !isEmpty, let users = KindList(dropUser.joined(separator: ",")) else {
                throw ValidationError("--drop-user: an id is empty; give the id of a user, such as null.")
            }
            targets.dropUsers = users
        }
        if keepSharedUsers { targets.dropSharedUsers = false }
    }
}

extension KindWeights: ExpressibleByArgument {
    /// Reads `view=1,buy=5`.
    public init?(argument: String) { self.init(argument) }
}
