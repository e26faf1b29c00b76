/// The retry policy of a call.
struct RetryPolicy {
    /// The most attempts of one call.
    let attempts: Int
    /// The longest wait after the first round.
    let base: Duration
    /// The longest wait.
    let longest: Duration

    /// How long to wait after `round` rounds over all addresses, at least one.
    ///
    /// Exponential backoff with jitter: between half and all of the backoff, so that many clients do not retry at the
    /// same time.
    func delay(beforeRound round: Int, using random: inout some RandomNumberGenerator) -> Duration {
        let full = min(longest, base * (1 << min(round - 1, 20)))
        return full * Double.random(in: 0.5...1, using: &random)
    }
}
