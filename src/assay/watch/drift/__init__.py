"""Whether columns, alone and together, moved: tests whose false alarms are budgeted."""
