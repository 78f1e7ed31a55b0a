"""Any vision-language model: found, checked, loaded, named by content, adapted."""
