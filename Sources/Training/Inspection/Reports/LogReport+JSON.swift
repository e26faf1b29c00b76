public import Foundation

/// The report for machines: keys in snake case, shares from 0 to 1, times as text.
extension LogReport: Encodable {
    private enum CodingKeys: String, CodingKey {
        case file, notes, users, items, events, lengths, popularity, repeats, times, activity, duplicates, suspects,
            sharedUsers
        case alikeUsers, alikeItems, values, findings, training, refusal
    }

    /// Encodes all statistics; `refusal` in place of `training` if a training would refuse the log.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(file, forKey: .file)
        try values.encode(notes, forKey: .notes)
        try values.encode(users, forKey: .users)
        try values.encode(items, forKey: .items)
        try values.encode(events, forKey: .events)
        try values.encode(lengths, forKey: .lengths)
        try values.encode(popularity, forKey: .popularity)
        try values.encode(repeats, forKey: .repeats)
        try values.encode(times, forKey: .times)
        try values.encode(activity, forKey: .activity)
        try values.encode(duplicates, forKey: .duplicates)
        try values.encode(suspects, forKey: .suspects)
        try values.encode(sharedUsers, forKey: .sharedUsers)
        try values.encode(alikeUsers, forKey: .alikeUsers)
        try values.encode(alikeItems, forKey: .alikeItems)
        try values.encode(self.values, forKey: .values)
        try values.encode(findings, forKey: .findings)
        switch training {
        case .success(let outlook): try values.encode(outlook, forKey: .training)
        case .failure(let refusal): try values.encode("\(refusal)", forKey: .refusal)
        }
    }
}

extension TrainingOutlook: Encodable {
    private enum CodingKeys: String, CodingKey {
        case split, splitReason, parts, cutHistories, olderTargets, reasons, recipe, baselines
    }

    /// Encodes all statistics, and the recipe as its file has it.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(split, forKey: .split)
        try values.encode(splitReason, forKey: .splitReason)
        try values.encode(parts, forKey: .parts)
        try values.encode(cutHistories, forKey: .cutHistories)
        try values.encodeIfPresent(olderTargets, forKey: .olderTargets)
        try values.encode(reasons, forKey: .reasons)
        try values.encode(recipe, forKey: .recipe)
        try values.encode(baselines, forKey: .baselines)
    }
}

extension LogReport {
    /// One JSON object.
    ///
    /// Keys are in snake case, except those of `recipe`: they are the fields of a recipe file.
    public var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            encoder.keyEncodingStrategy = .custom { path in
                let key = path[path.count - 1]
                let isRecipe = path.dropLast().contains { $0.stringValue == "recipe" }
                return isRecipe ? key : SnakeCaseKey(key.stringValue)
            }
            return try encoder.encode(self)
        }
    }
}

/// A key in snake case.
private struct SnakeCaseKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ camelCase: String) {
        stringValue = camelCase.reduce(into: "") { text, letter in
            text += letter.isUppercase ? "_" + letter.lowercased() : String(letter)
        }
    }

    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
}
