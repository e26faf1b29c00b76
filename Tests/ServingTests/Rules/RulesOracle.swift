import Kernels
import Serving

/// Applies rules to a complete list of items, position by position.
struct RulesOracle {
    /// An item with its score after boosts, and why it is there.
    struct Entry: Equatable {
        let item: Scored
        let reason: ItemReason
    }

    private struct Candidate {
        let id: Int32
        let base: Float
        let score: Float
        let boosts: [Int]

        func entry(_ position: ItemReason.Position) -> Entry {
            Entry(
                item: Scored(id: id, score: score),
                reason: ItemReason(base: base, boosts: boosts, position: position)
            )
        }
    }

    let items: [PlainItem]
    let rules: RetrievalRules
    /// The items of the history.
    let history: [Int]
    /// The order of the values of the calibrated attribute, for ties.
    let names: [String]

    private func values(_ key: String, _ item: Int) -> [String] {
        key == "categories" ? items[item].categories : items[item].texts[key] ?? []
    }

    private func isNew(_ item: Int) -> Bool {
        guard let rule = rules.newShare, case .number(let since) = rule.since else { return false }
        return items[item].numbers[rule.key].map { $0 >= since } ?? false
    }

    /// The list by rules.
    ///
    /// - Parameters:
    ///   - ranked: All items that may be answered, in their order before rules, with their scores.
    ///   - count: How many positions to fill.
    /// - Returns: At most `count` items.
    func list(_ ranked: [Scored], count: Int) -> [Entry] {
        let boosted = ranked.enumerated().map { order, item in
            let boosts = rules.boosts.indices.filter {
                FilterOracle.passes(items[Int(item.id)], rules.boosts[$0].filter.group)
            }
            let amount = boosts.reduce(Float(0)) { sum, boost in
                if case .add(let amount) = rules.boosts[boost].effect { sum + amount } else { sum }
            }
            let candidate = Candidate(id: item.id, base: item.score, score: item.score + amount, boosts: boosts)
            return (order: order, candidate: candidate)
        }
        .sorted { ($1.candidate.score, $0.order) < ($0.candidate.score, $1.order) }.map(\.candidate)
        let places = boosted.enumerated().map { place, entry in
            let factor = entry.boosts.reduce(1.0) { product, boost in
                if case .rankFactor(let factor) = rules.boosts[boost].effect { product * factor } else { product }
            }
            return (rank: Double(place + 1) / factor, place: place)
        }.sorted { ($0.rank, $0.place) < ($1.rank, $1.place) }
        var left = places.map { boosted[$0.place] }
        var pins: [Int: Candidate] = [:]
        for pin in rules.pins {
            guard let entry = left.first(where: { items[Int($0.id)].id == pin.id }) else { continue }
            pins[pin.position] = entry
        }
        left.removeAll { entry in pins.values.contains { $0.id == entry.id } }
        if let threshold = rules.scoreThreshold { left.removeAll { $0.score < threshold } }
        return fill(left, pins, count)
    }

    private func fill(_ candidates: [Candidate], _ pins: [Int: Candidate], _ count: Int) -> [Entry] {
        var left = candidates
        var groups: [String: Int] = [:]
        func occupy(_ item: Int32) {
            guard let rule = rules.groupLimit else { return }
            for value in values(rule.key, Int(item)) { groups[value, default: 0] += 1 }
        }
        func hasRoom(_ item: Int32) -> Bool {
            guard let rule = rules.groupLimit else { return true }
            return values(rule.key, Int(item)).allSatisfy { groups[$0, default: 0] < rule.limit }
        }
        for pin in pins.values { occupy(pin.id) }
        var shares: [String: Double] = [:]
        if let key = rules.calibration {
            let known = history.filter { !values(key, $0).isEmpty }
            for item in known {
                let own = values(key, item)
                for value in own { shares[value, default: 0] += 1 / Double(own.count) / Double(known.count) }
            }
        }
        let order = shares.keys.sorted { left, right in
            // Shares are sums in another order here.
            abs(shares[left, default: 0] - shares[right, default: 0]) > 1e-9
                ? shares[left, default: 0] > shares[right, default: 0]
                : (names.firstIndex(of: left) ?? 0) < (names.firstIndex(of: right) ?? 0)
        }
        var held: [String: Double] = [:]
        var list: [Entry] = []
        while list.count < count {
            let position = list.count + 1
            if let pin = pins[position] {
                list.append(pin.entry(.pin))
            } else {
                let lacks = order.map { shares[$0, default: 0] * Double(position) - held[$0, default: 0] }
                let wanted: [String?] =
                    order.indices.sorted { abs(lacks[$0] - lacks[$1]) > 1e-9 ? lacks[$0] > lacks[$1] : $0 < $1 }
                    .map { order[$0] } + [nil]
                let news = list.count { isNew(Int($0.item.id)) }
                let due = rules.newShare.map { Int(($0.share * Double(position) + 1e-9).rounded(.down)) } ?? 0
                var chosen: (place: Int, position: ItemReason.Position)?
                for isFresh in news < due ? [true, false] : [false] {
                    for value in wanted where chosen == nil {
                        let place = left.firstIndex { entry in
                            hasRoom(entry.id) && (!isFresh || isNew(Int(entry.id)))
                                && value.map { values(rules.calibration ?? "", Int(entry.id)).contains($0) } != false
                        }
                        chosen = place.map { ($0, isFresh ? .new : value.map { .share($0) } ?? .score) }
                    }
                }
                guard let chosen else {
                    for (_, pin) in pins.sorted(by: { $0.key < $1.key })
                    where list.count < count && !list.contains(where: { $0.item.id == pin.id }) {
                        list.append(pin.entry(.pin))
                    }
                    break
                }
                occupy(left[chosen.place].id)
                list.append(left.remove(at: chosen.place).entry(chosen.position))
            }
            guard let last = list.last, let key = rules.calibration else { continue }
            let own = values(key, Int(last.item.id))
            for value in own { held[value, default: 0] += 1 / Double(own.count) }
        }
        return list
    }
}

extension RandomCatalogue {
    /// Random rules over these attributes.
    func rules(_ random: inout SequentialGenerator) -> RetrievalRules {
        var rules = RetrievalRules()
        func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }
        if chance(2) {
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                // Quarters add up exactly in any order.
                let amount = Float(Int.random(in: -4...4, using: &random)) / 4
                let factor = [0.25, 0.5, 2, 4, 100][Int.random(in: 0..<5, using: &random)]
                rules.boosts.append(.init(filter(&random), chance(4) ? .rankFactor(factor) : .add(amount)))
            }
        }
        if chance(3) {
            var positions = Set<Int>()
            for item in items.indices where rules.pins.count < 4 && chance(items.count / 4 + 1) {
                let position = Int.random(in: 1...30, using: &random)
                if positions.insert(position).inserted { rules.pins.append(.init(items[item].id, at: position)) }
            }
            rules.pins.append(.init("nope", at: 31))
        }
        if chance(2) {
            let key = ["brand", "tags", "categories"][Int.random(in: 0..<3, using: &random)]
            rules.groupLimit = .init(key, limit: Int.random(in: 1...5, using: &random))
        }
        if chance(4) { rules.scoreThreshold = Float(Int.random(in: -4...2, using: &random)) / 4 }
        if chance(3) {
            let share = [0, 0.1, 0.3, 0.5, 1][Int.random(in: 0..<5, using: &random)]
            let since = 1.7e9 + Double(Int.random(in: 0..<1100, using: &random)) * 3600
            rules.newShare = .init("released", share: share, since: .number(since))
        }
        if chance(3) { rules.calibration = ["brand", "tags", "categories"][Int.random(in: 0..<3, using: &random)] }
        return rules
    }
}
