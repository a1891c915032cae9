"""Evidence under real torch: proofs of rules, and fixes confirmed on checkpoints. The parent side, without torch."""
