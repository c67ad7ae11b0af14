#!/bin/sh
# Two acts: a model that is judged and accepted, then a table that the audit stops.
# Usage: sh examples/demo.sh [folder with the programs python and assay]
set -eu
bin=${1:-.venv/bin}
here=$(dirname "$0")

echo "Act one: which tumours are malignant?"
"$bin/assay" run "$here/diagnosis"

echo
echo "Act two: the same table, with a column that a colleague filled in after the diagnosis."
"$bin/python" "$here/diagnosis-leak/make_table.py"
status=0
"$bin/assay" run "$here/diagnosis-leak" || status=$?
if [ "$status" -ne 3 ]; then
  echo "The audit should have stopped this run (exit 3), but assay ended with $status." >&2
  exit 1
fi

echo
echo "The commands above need the short name: . $bin/activate"
