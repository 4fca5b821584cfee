//! What is played. The module's name is the word by which `cargo test interop` finds it.

mod wire;

mixed! {
    {
        peer_accepted peer_refused connect_and_disconnect custommsg_both_ways onion_messages
        channel_life channel_refused channel_to_another_address known_everywhere payment_life htlc_verdicts
        sent_again ready_onion ways_found paid_by_pay paid_in_parts forwards_refused forwards_listed
        htlc_modified htlc_failed htlc_replayed invoice_payment_verdicts invoice_in_parts invoice_over_private_channel keysend_received
        reconnected commitment_revocation closed_by_one_side htlcs_on_payers_commitment htlcs_on_payees_commitment
        revoked_commitment funding_reorganised closing_reorganised fees_raised zeroconf opened_together fee_change deadlines
        everything_kept payments_resumed parts_resumed payments_replayed channel_life_resumed known_after_restart
    }
    embedded_first: Embedded Lightningd;
    lightningd_first: Lightningd Embedded;
}

// Who sends, who forwards and who receives, where two of the three are of one kind and neighbours.
mixed! {
    { payment_life htlc_verdicts ways_found forwards_refused }
    embedded_receives: Lightningd Lightningd Embedded;
    embedded_sends: Embedded Lightningd Lightningd;
    lightningd_receives: Embedded Embedded Lightningd;
    lightningd_sends: Lightningd Embedded Embedded;
}
