import{a}from"./chunk-JLWNTVLN.js";import"./chunk-FCUXI7EY.js";import"./chunk-UWUJMHRH.js";import"./chunk-3LUZ6NK7.js";import"./chunk-GNRSCWNG.js";import"./chunk-4L5RI3VG.js";export{a as initialize};
