"""Published audio taggers (AudioSet), to be measured against or to transfer from. None of them is shipped."""
