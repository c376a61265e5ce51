"""What the desk earned: exact PnL, the daily document and its folder, the week. Pure but for the folder."""
