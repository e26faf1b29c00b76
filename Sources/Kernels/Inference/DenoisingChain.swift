import CKernels

/// The reverse diffusion chain over a small denoiser, for one user or a few at a time (method, section 6.2).
///
/// The denoiser is `h = act(x W_x + g + r_t)`, optionally `h = act(h W_m + b_m)`, and `y = h W_2 + b_2 + residual`.
/// `y` is normalised to length one if the model asks for it. `g` is the guidance's term at every step, computed once
/// per user. `r_t` is row `t` of a table, computed once per model. All steps run in one call. A user's result does
/// not depend on the other users in the call.
public struct DenoisingChain: Sendable {
    /// The vector that is added to the denoiser's output before normalisation.
    public enum Residual: Sendable {
        /// Nothing.
        case none
        /// The noisy vector itself.
        case noised
        /// A vector from the guidance.
        case guidance
    }

    /// One reverse step: `x = normalise(clean * predicted + noisy * x + deviation * noise)`.
    ///
    /// The last step returns `predicted`.
    public struct Step: Sendable {
        /// The row of the step table that the denoiser reads.
        public var row: Int
        /// Weight of the predicted vector.
        public var clean: Float
        /// Weight of the noisy vector.
        public var noisy: Float
        /// Size of the noise, per coordinate.
        public var deviation: Float

        /// Groups the numbers of a step.
        public init(row: Int, clean: Float, noisy: Float, deviation: Float) {
            self.row = row
            self.clean = clean
            self.noisy = noisy
            self.deviation = deviation
        }
    }

    /// Steps in the kernel's layout.
    public struct Steps: Sendable {
        fileprivate let steps: [ck_reverse_step]
        private let highestRow: Int

        /// The number of steps.
        public var count: Int { steps.count }

        /// Converts at least one step.
        public init(_ steps: [Step]) {
            precondition(!steps.isEmpty && steps.allSatisfy { $0.row >= 0 }, "a chain of \(steps.count) steps")
            highestRow = steps.map(\.row).max() ?? 0
            self.steps = steps.map {
                ck_reverse_step(row: Int32($0.row), clean: $0.clean, noisy: $0.noisy, deviation: $0.deviation)
            }
        }

        fileprivate func requireRows(_ rows: Int) {
            precondition(highestRow < rows, "row \(highestRow) of a step table of \(rows) rows")
        }
    }

    /// Length of a user vector.
    public let dimension: Int
    /// Width of the hidden layers.
    public let hidden: Int
    private let noised: DenseLayer
    private let middle: DenseLayer?
    private let output: DenseLayer
    private let stepTerms: Matrix
    private let residual: Residual
    private let normalisesOutput: Bool

    /// A chain over a denoiser's weights.
    ///
    /// - Parameters:
    ///   - noised: `W_x`, shape `[dimension, hidden]`, with the activation of the hidden layers; its bias is ignored.
    ///   - middle: The second hidden layer, shape `[hidden, hidden]`, or nil.
    ///   - output: `W_2` and `b_2`, shape `[hidden, dimension]`.
    ///   - stepTerms: `r_t`, one row per step, shape `[T, hidden]`.
    ///   - residual: The vector that is added to the output.
    ///   - normalisesOutput: Whether predictions are normalised to length one.
    public init(
        noised: DenseLayer,
        middle: DenseLayer?,
        output: DenseLayer,
        stepTerms: Matrix,
        residual: Residual,
        normalisesOutput: Bool
    ) {
        let (d, H) = (noised.inputs, noised.outputs)
        precondition(
            output.weights.shape == [H, d] && stepTerms.columns == H && (middle?.weights.shape ?? [H, H]) == [H, H],
            "a denoiser of \(d) and \(H): output \(output.weights.shape), step terms \(stepTerms.shape)"
        )
        dimension = d
        hidden = H
        self.noised = noised
        self.middle = middle
        self.output = output
        self.stepTerms = stepTerms
        self.residual = residual
        self.normalisesOutput = normalisesOutput
    }

    /// Floats of scratch room that ``run(_:users:guidance:residual:noise:noiseStride:scratch:into:)`` needs.
    public var scratchCount: Int { 4 * (3 * hidden + dimension) }

    /// Runs all steps for consecutive users.
    ///
    /// - Parameters:
    ///   - steps: From the noisiest to the last.
    ///   - users: The users' rows in the arrays.
    ///   - guidance: `g`, shape `[., hidden]`.
    ///   - residual: Shape `[., dimension]`; read only for ``DenoisingChain/Residual/guidance``.
    ///   - noise: `steps.count * dimension` standard normals for each user; the first `dimension` are the start.
    ///   - noiseStride: Floats from one user's noise to the next user's.
    ///   - scratch: Reused room, ``scratchCount`` floats.
    ///   - out: Shape `[., dimension]`; receives the last predictions in the users' rows.
    /// - Complexity: O(users * steps * dimension * hidden), no allocation. The weights are read once for four users.
    public func run(
        _ steps: Steps,
        users: Range<Int>,
        guidance: [Float],
        residual: [Float],
        noise: [Float],
        noiseStride: Int,
        scratch: inout [Float],
        into out: inout [Float]
    ) {
        steps.requireRows(stepTerms.rows)
        precondition(
            users.lowerBound >= 0 && guidance.count >= users.upperBound * hidden
                && residual.count >= users.upperBound * dimension && out.count >= users.upperBound * dimension
                && noiseStride >= steps.count * dimension && noise.count >= users.upperBound * noiseStride
                && scratch.count >= scratchCount,
            "users \(users): guidance \(guidance.count), residual \(residual.count), noise \(noise.count) by "
                + "\(noiseStride), scratch \(scratch.count), out \(out.count)"
        )
        withNetwork { network in
            unsafe guidance.withUnsafeBufferPointer { guidance in
                unsafe residual.withUnsafeBufferPointer { residual in
                    unsafe noise.withUnsafeBufferPointer { noise in
                        unsafe out.withUnsafeMutableBufferPointer { out in
                            guard let g = guidance.baseAddress, let r = residual.baseAddress,
                                let z = noise.baseAddress, let x = out.baseAddress
                            else { return }
                            let first = users.lowerBound
                            unsafe ck_reverse_chain(
                                network,
                                steps.steps,
                                steps.count,
                                users.count,
                                g + first * hidden,
                                r + first * dimension,
                                z + first * noiseStride,
                                noiseStride,
                                &scratch,
                                x + first * dimension
                            )
                        }
                    }
                }
            }
        }
    }

    /// Passes the weights in the kernel's layout; they are valid only during `body`.
    @safe private func withNetwork(_ body: (UnsafePointer<ck_denoiser>) -> Void) {
        let kind =
            switch residual {
            case .none: CK_RESIDUAL_NONE
            case .noised: CK_RESIDUAL_NOISED
            case .guidance: CK_RESIDUAL_GUIDANCE
            }
        noised.packed.withPointer { noisedWeights in
            (middle ?? output).packed.withPointer { middleWeights in
                output.packed.withPointer { outputWeights in
                    stepTerms.withPointer { terms in
                        unsafe (middle ?? output).bias.withUnsafeBufferPointer { middleBias in
                            unsafe output.bias.withUnsafeBufferPointer { outputBias in
                                var network = unsafe ck_denoiser(
                                    noised: noisedWeights,
                                    middle: middle == nil ? nil : middleWeights,
                                    middle_bias: middleBias.baseAddress,
                                    output: outputWeights,
                                    output_bias: outputBias.baseAddress,
                                    step_terms: terms,
                                    d: dimension,
                                    hidden: hidden,
                                    activation: noised.activation.code,
                                    residual: Int32(kind.rawValue),
                                    normalise: normalisesOutput ? 1 : 0
                                )
                                unsafe body(&network)
                            }
                        }
                    }
                }
            }
        }
    }
}
