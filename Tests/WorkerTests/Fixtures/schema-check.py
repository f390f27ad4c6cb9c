"""Holds YAML files against a JSON Schema, with a validator that has nothing of ours in it.

usage: schema-check.py SCHEMA FILE ...      one line for each file: name, tab, "valid" or what is wrong
"""
import json
import re
import sys

import jsonschema
import yaml


class CoreLoader(yaml.SafeLoader):
    """Reads scalars by the core schema of YAML 1.2, as editors do: `yes` and `2024-01-01` are text."""


CoreLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", "null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("int", "[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
]:
    CoreLoader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile("^(?:%s)$" % pattern), list(first))

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for path in sys.argv[2:]:
    try:
        with open(path, "rb") as file:
            document = yaml.load(file, CoreLoader)
        problem = next(validator.iter_errors(document), None)
        verdict = problem.message if problem else "valid"
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError) as error:
        verdict = "not YAML: %s" % error
    print("%s\t%s" % (path.rsplit("/", 1)[-1], " ".join(verdict.split())[:300]))
