import Autodiff
import Foundation
import Kernels
import Recommenders
import TestSupport

typealias Vector = [Double]

/// DimeRec's equations in Double, one row at a time, written from the method's sections 3, 4 and 6.
struct ReferenceModel {
    var configuration: DimeRecConfiguration
    private var parameters: [String: [Vector]]
    /// Fixed routing shares of a history's items, `[n][K]`; the items of other histories are routed.
    private var heldShares: [[Int32]: [Vector]] = [:]

    init(_ model: DimeRec) { self.init(model.configuration, model.parameters) }

    init(_ configuration: DimeRecConfiguration, _ parameters: ParameterSet) {
        self.configuration = configuration
        self.parameters = parameters.matrices.mapValues { matrix in (0..<matrix.rows).map(matrix.doubleRow) }
    }

    subscript(name: String) -> [Vector] {
        get { parameters[name] ?? [] }
        set { parameters[name] = newValue }
    }

    static func dot(_ a: Vector, _ b: Vector) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    static func unit(_ x: Vector) -> Vector {
        let length = max(dot(x, x).squareRoot(), 1e-6)
        return x.map { $0 / length }
    }

    private func add(_ a: Vector, _ b: Vector) -> Vector { zip(a, b).map { $0 + $1 } }

    private func times(_ x: Vector, _ weights: [Vector]) -> Vector {
        weights[0].indices.map { column in zip(x, weights).reduce(0) { $0 + $1.0 * $1.1[column] } }
    }

    private func activate(_ x: Vector, _ activation: Activation) -> Vector {
        x.map { x in
            switch activation {
            case .identity: x
            case .tanh: tanh(x)
            case .gelu: x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
            case .silu: x / (1 + exp(-x))
            case .relu: max(x, 0)
            }
        }
    }

    private func sinusoid(_ position: Int) -> Vector {
        let half = configuration.dimension / 2
        let angles = (0..<half).map { j in
            Double(position) * exp(-log(10_000) * Double(j) / Double(max(1, half - 1)))
        }
        return angles.map { sin($0) } + angles.map { cos($0) }
    }

    private func placed(_ row: Vector) -> Vector { configuration.geometry == .sphere ? Self.unit(row) : row }

    func item(_ id: Int32) -> Vector { placed(self["items"][Int(id)]) }

    func target(_ id: Int32) -> Vector { placed(self[configuration.tiedItems ? "items" : "items.output"][Int(id)]) }

    /// Equations 15 to 17: K interests of one history.
    func interests(_ history: [Int32]) -> [Vector] {
        let zero = Vector(repeating: 0, count: configuration.dimension)
        let raw: [Vector]
        switch configuration.guidance.kind {
        case .ruleBased:
            let newest = history.suffix(configuration.interests).map(item)
            raw = [Vector](repeating: zero, count: configuration.interests - newest.count) + newest
        case .selfAttentive:
            let first = configuration.guidance.padding == .right ? 0 : configuration.historyLength - history.count
            let hidden = history.enumerated().map { place, id in
                let position =
                    configuration.guidance.position == .learned
                    ? self["guidance.position"][first + place] : sinusoid(first + place)
                let z = times(add(item(id), position), self["guidance.projection"])
                return activate(add(z, self["guidance.projection.bias"][0]), .tanh)
            }
            raw = self["guidance.heads"].map { head in
                let powers = hidden.map { exp(Self.dot($0, head)) }
                let total = powers.reduce(0, +)
                return zip(history, powers).reduce(zero) { sum, part in
                    add(sum, item(part.0).map { $0 * part.1 / total })
                }
            }
        case .transformer, .transduction:
            let items = history.map(item)
            let states =
                configuration.guidance.kind == .transformer ? transformerStates(items) : transductionStates(items)
            let newest = states.suffix(configuration.interests)
            raw = [Vector](repeating: zero, count: configuration.interests - newest.count) + newest
        case .dynamicRouting, .mind:
            let votes = votes(history)
            let shares = heldShares[history] ?? routedShares(votes, from: startingLogits(history))
            raw = (0..<configuration.interests).map { k in squash(sum(votes, shares, k)) }
        case .mlp:
            let mean = history.map(item).reduce(zero, add).map { $0 / Double(history.count) }
            let hidden = activate(add(times(mean, self["guidance.expand"]), self["guidance.expand.bias"][0]), .tanh)
            let output = add(times(hidden, self["guidance.contract"]), self["guidance.contract.bias"][0])
            raw = (0..<configuration.interests).map { k in
                Array(output[k * configuration.dimension..<(k + 1) * configuration.dimension])
            }
        }
        return configuration.guidance.normaliseRows ? raw.map(Self.unit) : raw
    }

    /// Each item's vote for each interest; the newest item uses the last position's matrix, unless all positions and
    /// interests share one matrix.
    private func votes(_ history: [Int32]) -> [[Vector]] {
        let d = configuration.dimension
        if configuration.guidance.kind == .mind {
            return history.map { id in
                [Vector](repeating: times(item(id), self["guidance.votes"]), count: configuration.interests)
            }
        }
        return history.enumerated().map { place, id in
            let position = configuration.historyLength - history.count + place
            let all = times(item(id), Array(self["guidance.votes"][position * d..<(position + 1) * d]))
            return (0..<configuration.interests).map { Array(all[$0 * d..<($0 + 1) * d]) }
        }
    }

    private func sum(_ votes: [[Vector]], _ shares: [Vector], _ k: Int) -> Vector {
        zip(votes, shares).reduce(Vector(repeating: 0, count: configuration.dimension)) { sum, part in
            add(sum, part.0[k].map { $0 * part.1[k] })
        }
    }

    private func squash(_ z: Vector) -> Vector {
        let squared = Self.dot(z, z)
        return z.map { $0 * squared / (1 + squared) / (squared + 1e-9).squareRoot() }
    }

    /// Initial routing logits: for MIND, numbers that depend on an item's age and the interest; otherwise 0.
    private func startingLogits(_ history: [Int32]) -> [Vector] {
        guard configuration.guidance.kind == .mind else {
            return history.map { _ in Vector(repeating: 0, count: configuration.interests) }
        }
        let generator = CounterBasedGenerator(seed: 0, purpose: .routing)
        return history.indices.reversed().map { age in
            generator.normals(stream: UInt64(age), count: configuration.interests).map(Double.init)
        }
    }

    /// Three rounds of routing: the softmax over the interests of each item's logits.
    private func routedShares(_ votes: [[Vector]], from start: [Vector]) -> [Vector] {
        func shares(_ logits: [Vector]) -> [Vector] {
            logits.map { logits in
                let powers = logits.map { exp($0) }
                return powers.map { $0 / powers.reduce(0, +) }
            }
        }
        var logits = start
        for _ in 1...2 {
            let weights = shares(logits)
            let interests = (0..<configuration.interests).map { squash(sum(votes, weights, $0)) }
            logits = zip(logits, votes).map { logits, votes in
                zip(logits, zip(votes, interests)).map { $0 + Self.dot($1.0, $1.1) }
            }
        }
        return shares(logits)
    }

    /// Fixes the current routing shares of these histories, for any later change of the parameters.
    mutating func holdShares(of histories: RaggedRows) {
        for row in 0..<histories.count {
            let history = Array(histories[row])
            heldShares[history] = routedShares(votes(history), from: startingLogits(history))
        }
    }

    /// Causal Transformer blocks, normalised before each branch, with a bias for each distance.
    private func norm(_ x: Vector, _ name: String) -> Vector {
        let mean = x.reduce(0, +) / Double(x.count)
        let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
        let (gain, bias) = (self[name + ".gain"][0], self[name + ".bias"][0])
        return x.indices.map { (x[$0] - mean) / (variance + 1e-6).squareRoot() * gain[$0] + bias[$0] }
    }

    /// HSTU: pointwise attention over the positions seen, normalised and gated, added to the input.
    private func transductionStates(_ items: [Vector]) -> [Vector] {
        let (d, heads) = (configuration.dimension, configuration.guidance.attentionHeads)
        let width = d / heads
        func silu(_ x: Double) -> Double { x / (1 + exp(-x)) }
        var x = items.map { $0.map { $0 * Double(d).squareRoot() } }
        for block in 0..<configuration.guidance.blocks {
            let name = "guidance.block\(block)."
            let input = x.map { norm($0, name + "input") }
            func part(_ part: String) -> [Vector] {
                input.map { add(times($0, self[name + part]), self[name + part + ".bias"][0]).map(silu) }
            }
            let (u, v, q, k) = (part("gate"), part("value"), part("query"), part("key"))
            x = x.indices.map { p in
                let attended = (0..<d).map { c in
                    let columns = c / width * width..<(c / width + 1) * width
                    let bias = self[name + "distance"][c / width]
                    return (0...p).reduce(0) { sum, j in
                        let product = columns.reduce(0) { $0 + q[p][$1] * k[j][$1] } / Double(width).squareRoot()
                        return sum + silu(product + bias[bias.count - 1 - (p - j)]) / Double(p + 1) * v[j][c]
                    }
                }
                let gated = zip(norm(attended, name + "attended"), u[p]).map { $0 * $1 }
                return add(x[p], times(gated, self[name + "mix"]))
            }
        }
        return x.map { norm($0, "guidance.norm") }
    }

    /// SASRec's blocks with distances in place of positions.
    private func transformerStates(_ items: [Vector]) -> [Vector] {
        let (d, heads) = (configuration.dimension, configuration.guidance.attentionHeads)
        let width = d / heads
        var x = items.map { $0.map { $0 * Double(d).squareRoot() } }
        for block in 0..<configuration.guidance.blocks {
            let name = "guidance.block\(block)."
            let input = x.map { norm($0, name + "attention") }
            let (q, k, v) = (
                input.map { times($0, self[name + "query"]) }, input.map { times($0, self[name + "key"]) },
                input.map { times($0, self[name + "value"]) }
            )
            x = x.indices.map { p in
                var mixed = Vector(repeating: 0, count: d)
                for h in 0..<heads {
                    let columns = h * width..<(h + 1) * width
                    let bias = self[name + "distance"][h]
                    let powers = (0...p).map { j in
                        let product = columns.reduce(0) { $0 + q[p][$1] * k[j][$1] }
                        return exp(product / Double(width).squareRoot() + bias[bias.count - 1 - (p - j)])
                    }
                    for c in columns {
                        mixed[c] = (0...p).reduce(0) { $0 + powers[$1] * v[$1][c] } / powers.reduce(0, +)
                    }
                }
                return add(x[p], times(mixed, self[name + "mix"]))
            }
            x = x.map { x in
                let hidden = add(times(norm(x, name + "feed"), self[name + "expand"]), self[name + "expand.bias"][0])
                let fed = times(activate(hidden, .gelu), self[name + "contract"])
                return add(x, add(fed, self[name + "contract.bias"][0]))
            }
        }
        return x.map { norm($0, "guidance.norm") }
    }

    func mean(_ interests: [Vector]) -> Vector {
        interests.dropFirst().reduce(interests[0], add).map { $0 / Double(interests.count) }
    }

    /// Equation 20: the clean vector behind `noised` at step `t`.
    func clean(_ noised: Vector, t: Int, history: [Int32]) -> Vector {
        let interests = interests(history)
        let denoiser = configuration.denoiser
        let step: Vector
        switch denoiser.stepEmbedding {
        case .table: step = self["denoiser.step.table"][t - 1]
        case .sinusoid:
            let hidden = add(
                times(sinusoid(t - 1), self["denoiser.step.hidden"]),
                self["denoiser.step.hidden.bias"][0]
            )
            let output = add(
                times(activate(hidden, .gelu), self["denoiser.step.output"]),
                self["denoiser.step.output.bias"][0]
            )
            step = times(output, self["denoiser.step"])
        }
        var guidance = times(
            denoiser.layout == .concatenated ? interests.flatMap { $0 } : mean(interests),
            self["denoiser.guidance"]
        )
        if denoiser.recentItems > 0 {
            let newest = history.suffix(denoiser.recentItems).flatMap(item)
            let missing = denoiser.recentItems * configuration.dimension - newest.count
            guidance = add(guidance, times(Vector(repeating: 0, count: missing) + newest, self["denoiser.recent"]))
        }
        guidance = add(guidance, self["denoiser.bias"][0])
        var ownResidual = Vector(repeating: 0, count: configuration.dimension)
        if denoiser.conditionHidden > 0 {
            let condition = activate(guidance, denoiser.activation)
            guidance = add(times(condition, self["denoiser.condition"]), self["denoiser.condition.bias"][0])
            if denoiser.residual == .condition { ownResidual = times(condition, self["denoiser.condition.residual"]) }
        }
        var hidden = activate(add(add(times(noised, self["denoiser.noised"]), guidance), step), denoiser.activation)
        if denoiser.depth == 2 {
            hidden = add(times(hidden, self["denoiser.middle"]), self["denoiser.middle.bias"][0])
            hidden = activate(hidden, denoiser.activation)
        }
        var output = add(times(hidden, self["denoiser.output"]), self["denoiser.output.bias"][0])
        switch denoiser.residual {
        case .none: break
        case .noised: output = add(output, noised)
        case .meanInterest: output = add(output, mean(interests))
        case .condition: output = add(output, ownResidual)
        }
        return denoiser.normaliseOutput ? Self.unit(output) : output
    }

    /// Equations 18 to 23 with noised vectors and steps given; the three terms, unweighted, as shares of the step's
    /// mean.
    func terms(_ batch: TrainingBatch, noised: [Vector], steps: [Int]) -> Vector {
        let loss = configuration.loss
        let scale = loss.learnLogitScale ? exp(self["logScale"][0][0]) : loss.logitScale
        let catalogue = self[configuration.tiedItems ? "items" : "items.output"].count
        func negatives(_ row: Int, _ negatives: Negatives) -> [Int32] {
            switch negatives {
            case .pool(let ids, _, let masked): ids.indices.filter { !masked[row].contains(Int32($0)) }.map { ids[$0] }
            case .perRow(let ids, let count, _): Array(ids[row * count..<(row + 1) * count])
            case .catalogue(let masked): (0..<Int32(catalogue)).filter { !masked[row].contains($0) }
            }
        }
        func corrections(_ row: Int, _ negatives: Negatives) -> [Double] {
            switch negatives {
            case .pool(let ids, let corrections, let masked):
                ids.indices.filter { !masked[row].contains(Int32($0)) }.map { Double(corrections?[$0] ?? 0) }
            case .perRow(_, let count, let correction): Array(repeating: Double(correction), count: count)
            case .catalogue: Array(repeating: 0, count: catalogue)
            }
        }
        func softmax(_ query: Vector, _ target: Vector, _ row: Int, _ draw: Negatives) -> Double {
            let positive = scale * Self.dot(query, target)
            let others = zip(negatives(row, draw), corrections(row, draw)).map { id, correction in
                exp(scale * Self.dot(query, self.target(id)) + correction)
            }
            return log(exp(positive) + others.reduce(0, +)) - positive
        }
        var sums = [0.0, 0, 0]
        for row in batch.targets.indices {
            let x0 = target(batch.targets[row])
            let interests = interests(Array(batch.histories[row]))
            let scores = interests.map { Self.dot($0, x0) }
            let nearest = interests[scores.firstIndex(of: scores.max() ?? 0) ?? 0]
            let xhat = clean(noised[row], t: steps[row], history: Array(batch.histories[row]))
            let squares = zip(x0, xhat).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            sums[0] += softmax(nearest, x0, row, batch.negatives)
            sums[1] += loss.reconstruction == .sum ? squares : squares / Double(configuration.dimension)
            sums[2] += softmax(xhat, x0, row, batch.secondNegatives ?? batch.negatives)
        }
        return sums.map { $0 / Double(batch.stepRows) }
    }

    func total(_ terms: Vector) -> Double {
        configuration.loss.guidance * terms[0] + configuration.loss.lambda * terms[1] + configuration.loss.mu * terms[2]
    }
}
