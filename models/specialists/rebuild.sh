#!/bin/sh
# Make the shipped specialists again, each from its data and recipe, in a workspace of their own:
#
#     models/specialists/rebuild.sh FOLDER [LINE ...]        # all lines, or clinc150, snips-slots, presidio …
#
# LILLIPUT_DATA_DIR names the folder of data sets; presidio's comes from the package registry. Each line makes
# the specialists that are here, in the same order, numbered from 1: the same rows, recipe and seed make the same one
# on the same machine. But for seal-calls-1: there are more rows now than it has learnt from.
set -eu
folder=$1
shift
known="clinc150 snips-slots snips-intents presidio xsid-dutch injection seal-calls"
lines=${*:-$known}
here=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$folder/configs"
echo "{}" > "$folder/configs/lilliput.yaml"
cd "$folder"

# LINE AGENT LICENCE, and what else `learn collect` is to know; the rows are in LINE.jsonl
learnt() {
    line=$1 agent=$2 licence=$3
    shift 3
    lilliput learn collect "$line" --agent "$agent" --file "$line.jsonl" --split split --public --licence "$licence" "$@"
    lilliput learn scrub "$line"
}

for line in $lines; do
    case $line in
    clinc150)
        lilliput bench rows clinc150 --dev val -o clinc150.jsonl
        learnt clinc150 label CC-BY-3.0 -i "no_label=none of these"
        recipes="head encoder-many encoder-large" ;;
    snips-slots)
        lilliput bench rows snips --dev dev -o snips-slots.jsonl
        learnt snips-slots tag-spans CC0-1.0
        recipes="encoder-many" ;;
    snips-intents)
        lilliput bench rows snips-intents --dev dev -o snips-intents.jsonl
        learnt snips-intents label CC0-1.0
        recipes="head encoder-smooth" ;;
    presidio)
        lilliput bench rows presidio --dev dev -o presidio.jsonl
        learnt presidio tag-spans MIT
        recipes="encoder-many" ;;
    xsid-dutch)
        python "$here/benchmarks/xsid/dutch.py" xsid-dutch.jsonl
        learnt xsid-dutch label CC-BY-SA-4.0 -i "labels=$(python "$here/benchmarks/xsid/dutch.py" --labels)"
        recipes="encoder head" ;;
    injection)
        lilliput bench rows bipia-injection --dev dev -o injection.jsonl
        learnt injection tag-spans MIT -i 'kinds=["instruction"]'
        recipes="encoder" ;;
    seal-calls)
        lilliput bench rows seal-calls --dev dev-single -o seal-calls.jsonl
        learnt seal-calls use-tools Apache-2.0
        recipes="generator-calls" ;;
    *)
        echo "There is no line $line. There are: $known" >&2
        exit 2 ;;
    esac
    for recipe in $recipes; do
        lilliput learn train "$line" --recipe "$recipe"
    done
done
