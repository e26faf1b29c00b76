import FoundationEssentials
import Recommenders
package import Serving

/// Reads the fields of a request that are rules: `boosts`, `pins`, `group_by`, `score_threshold`, `offset`, `min_new`,
/// `calibrate` and `guidance`.
struct RulesReader {
    private typealias Limits = RetrievalRules.Limits

    private var filters = FilterReader()

    /// Reads the list of boosts.
    mutating func boosts(_ reader: inout JSONReader, at pointer: String) throws -> [RetrievalRules.Boost] {
        var boosts: [RetrievalRules.Boost] = []
        try reader.elements(at: pointer, atMost: Limits.boosts) { reader, pointer in
            var filter: ItemFilter?
            var effect: RetrievalRules.Boost.Effect?
            try reader.members(at: pointer, of: "a boost", ["filter", "add", "rank_factor"]) { reader, name, place in
                switch name {
                case "filter": filter = try readFilter(&reader, at: place)
                case _ where effect != nil:
                    let message = "is a second effect; a boost has either 'add' or 'rank_factor'."
                    throw ContractViolation(pointer: place, message: message)
                case "add": effect = .add(Float(try reader.double(at: place, in: Limits.amounts)))
                default: effect = .rankFactor(try reader.double(at: place, in: Limits.rankFactors))
                }
            }
            guard let filter, let effect else {
                let message = "must have a 'filter', and either 'add' or 'rank_factor'."
                throw ContractViolation(pointer: pointer, message: message)
            }
            boosts.append(RetrievalRules.Boost(filter, effect))
        }
        return boosts
    }

    private mutating func readFilter(_ reader: inout JSONReader, at pointer: String) throws -> ItemFilter {
        var categories = CategoryFilter()
        var conditions: ItemFilter?
        try filters.read(&reader, at: pointer, into: &categories, &conditions)
        return conditions ?? ItemFilter(ItemFilter.Group()).joined(with: categories)
    }
}

extension RetrievalRequest {
    /// Sets the rules from an object with the fields of a request that are rules.
    ///
    /// - Throws: A ``Problem`` with the place of the first error.
    package mutating func setRules(json: [UInt8], within limits: RetrievalLimits = RetrievalLimits()) throws(Problem) {
        do {
            var reader = JSONReader(json)
            var boosts = RulesReader()
            var rules = RetrievalRules()
            var guidance: GuidanceSlots?
            let names = ["boosts", "pins", "group_by", "score_threshold", "offset", "min_new", "calibrate", "guidance"]
            try reader.members(at: "", of: "the rules", names) { reader, name, place in
                switch name {
                case "boosts": rules.boosts = try boosts.boosts(&reader, at: place)
                case "pins": rules.pins = try reader.pins(at: place, within: limits)
                case "group_by": rules.groupLimit = try reader.groupLimit(at: place, within: limits)
                case "score_threshold":
                    rules.scoreThreshold = Float(try reader.double(at: place, in: RetrievalRules.Limits.thresholds))
                case "offset": rules.offset = try reader.integer(at: place, in: limits.offset)
                case "min_new": rules.newShare = try reader.newShare(at: place)
                case "guidance": guidance = try reader.guidanceSlots(at: place)
                default: rules.calibration = try reader.calibration(at: place)
                }
            }
            try reader.end()
            self.rules = rules
            self.guidance = guidance
            do throws(RetrievalError) {
                try validate(within: limits)
            } catch {
                throw ContractViolation(pointer: "", message: error.description)
            }
        } catch {
            throw Problem(error, in: json)
        }
    }
}

/// Rules without a filter.
extension JSONReader {
    /// Reads a list of pins.
    mutating func pins(at pointer: String, within limits: RetrievalLimits) throws -> [RetrievalRules.Pin] {
        var pins: [RetrievalRules.Pin] = []
        try elements(at: pointer, atMost: RetrievalRules.Limits.pins) { reader, pointer in
            var (id, position): (String?, Int?)
            try reader.members(at: pointer, of: "a pin", ["id", "position"]) { reader, name, place in
                if name == "id" {
                    id = try reader.identifier(at: place)
                } else {
                    position = try reader.integer(at: place, in: limits.k)
                }
            }
            guard let id, let position else {
                throw ContractViolation(pointer: pointer, message: "must have an 'id' and a 'position'.")
            }
            pins.append(RetrievalRules.Pin(id, at: position))
        }
        return pins
    }

    /// Reads a limit for groups.
    mutating func groupLimit(at pointer: String, within limits: RetrievalLimits) throws -> RetrievalRules.GroupLimit {
        var (key, limit): (String?, Int?)
        try members(at: pointer, of: "group_by", ["key", "limit"]) { reader, name, place in
            if name == "key" {
                key = try reader.text(at: place)
            } else {
                limit = try reader.integer(at: place, in: limits.k)
            }
        }
        guard let key, let limit else {
            throw ContractViolation(pointer: pointer, message: "must have a 'key' and a 'limit'.")
        }
        return RetrievalRules.GroupLimit(key, limit: limit)
    }

    /// Reads a share of new items; `days` count back from the last full hour.
    mutating func newShare(at pointer: String) throws -> RetrievalRules.NewShare {
        var (key, share): (String?, Double?)
        var since: ItemFilter.Value?
        try members(at: pointer, of: "min_new", ["key", "share", "since", "days"]) { reader, name, place in
            switch name {
            case "key": key = try reader.text(at: place)
            case "share": share = try reader.double(at: place, in: RetrievalRules.Limits.shares)
            case _ where since != nil:
                throw ContractViolation(pointer: place, message: "is a second time; give either 'since' or 'days'.")
            case "since":
                let isText = try reader.kind() == .string
                since = isText ? .text(try reader.text(at: place)) : .number(try reader.double(at: place))
            default:
                let days = try reader.double(at: place, in: 0...100_000)
                let hour = (Date().timeIntervalSince1970 / 3600).rounded(.down) * 3600
                since = .number(hour - days * 86_400)
            }
        }
        guard let key, let share, let since else {
            let message = "must have a 'key', a 'share', and either 'since' or 'days'."
            throw ContractViolation(pointer: pointer, message: message)
        }
        return RetrievalRules.NewShare(key, share: share, since: since)
    }

    /// Reads the rules for the slots of rule-based guidance.
    mutating func guidanceSlots(at pointer: String) throws -> GuidanceSlots {
        var (slots, isEmpty) = (GuidanceSlots(), true)
        try members(at: pointer, of: "guidance", GuidanceSlots.fields) { reader, name, place in
            slots.set(name, to: try reader.integer(at: place, in: GuidanceSlots.range))
            isEmpty = false
        }
        guard !isEmpty else {
            let names = GuidanceSlots.fields.joined(separator: ", ")
            throw ContractViolation(pointer: pointer, message: "must have at least one of the fields \(names).")
        }
        return slots
    }

    /// Reads the attribute to calibrate.
    mutating func calibration(at pointer: String) throws -> String {
        var key: String?
        try members(at: pointer, of: "calibrate", ["key"]) { reader, _, place in key = try reader.text(at: place) }
        guard let key else { throw ContractViolation(pointer: pointer, message: "must have a 'key'.") }
        return key
    }

    // MARK: Parts of rules

    /// Reads a list of at most `most` elements.
    fileprivate mutating func elements(
        at pointer: String,
        atMost most: Int,
        _ read: (inout JSONReader, String) throws -> Void
    ) throws {
        try expect(.array, at: pointer)
        enter()
        var isFirst = true
        var count = 0
        while try nextElement(isFirst: &isFirst) {
            guard count < most else {
                let message = "is entry \(count + 1); the list has at most \(most)."
                throw ContractViolation(pointer: "\(pointer)/\(count)", message: message)
            }
            try read(&self, "\(pointer)/\(count)")
            count += 1
        }
    }
}

extension GuidanceSlots {
    /// The fields in JSON.
    static let fields = ["exploring", "popular", "history_popular"]

    /// Sets a field.
    mutating func set(_ field: String, to number: Int) {
        switch field {
        case "exploring": exploring = number
        case "popular": popular = number
        default: historyPopular = number
        }
    }
}
