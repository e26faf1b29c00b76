import CKernels

/// Two dense layers over the mean of one history's items (method, section 3.4, the MLP module), laid out for serving.
public struct HistoryPooling: InterestExtractor {
    private let items: Matrix
    private let expand: DenseLayer
    private let contract: DenseLayer
    private let longest: Int

    /// Lays out the weights.
    ///
    /// - Parameters:
    ///   - items: Unit item rows, `[V, d]`.
    ///   - expand: `[d, hidden]` with its activation.
    ///   - contract: `[hidden, K d]`.
    ///   - longest: The length of the longest history.
    public init(items: Matrix, expand: DenseLayer, contract: DenseLayer, longest: Int) {
        precondition(
            expand.inputs == items.columns && contract.inputs == expand.outputs,
            "pooling: items \(items.shape), layers \(expand.weights.shape) and \(contract.weights.shape)"
        )
        self.items = items
        self.expand = expand
        self.contract = contract
        self.longest = longest
    }

    /// Scratch memory of one call.
    public struct Scratch: Sendable {
        fileprivate var weights: [Float]
        fileprivate var mean: [Float]
        fileprivate var hidden: [Float]
    }

    /// Scratch memory for the longest history.
    public func makeScratch() -> Scratch {
        Scratch(
            weights: [Float](repeating: 0, count: longest),
            mean: [Float](repeating: 0, count: items.columns),
            hidden: [Float](repeating: 0, count: expand.outputs)
        )
    }

    /// Interests of one history; see ``InterestExtractor/interests(of:scratch:into:at:)``.
    public func interests(
        of history: ArraySlice<Int32>,
        scratch: inout Scratch,
        into interests: inout [Float],
        at start: Int
    ) {
        items.requireHistory(history, longest: longest, count: contract.outputs, at: start, in: interests)
        for place in 0..<history.count { scratch.weights[place] = 1 / Float(history.count) }
        items.withPointer { rows in
            unsafe history.withUnsafeBufferPointer { ids in
                guard let first = ids.baseAddress else { return }
                let weights = scratch.weights
                unsafe ck_weighted_sums(rows, first, ids.count, 1, items.columns, weights, &scratch.mean)
            }
        }
        expand.apply(to: scratch.mean, into: &scratch.hidden)
        contract.apply(rows: 1, of: scratch.hidden, into: &interests, at: start)
    }
}
